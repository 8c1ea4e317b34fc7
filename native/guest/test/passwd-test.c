#include <string.h>

#include "check.h"
#include "passwd.h"

static const char passwd[] =
    "root:x:0:0:root:/root:/bin/sh\n# a comment\n\nbroken\napp:x:1000:100:An App:/home/app:/bin/sh\n"
    "bad:x:abc:1::/:\nhomeless:x:7:7";
static const char group[] = "root:x:0:\nstaff:x:50:root,app\nwheel:x:10:app\nmine:x:100:\nother:x:51:apparat,xapp\n";
static struct identity identity;
static char reason[200];

static int resolves(const char *user) { return resolve_user(user, passwd, group, &identity, reason, sizeof reason); }

int main(void) {
  CHECK(resolves("") && identity.uid == 0 && identity.gid == 0 && strcmp(identity.home, "/root") == 0);
  CHECK(identity.group_count == 1 && identity.groups[0] == 50);
  CHECK(resolves("app") && identity.uid == 1000 && identity.gid == 100 && strcmp(identity.home, "/home/app") == 0);
  CHECK(identity.group_count == 2 && identity.groups[0] == 50 && identity.groups[1] == 10);
  CHECK(resolves("1000") && identity.gid == 100 && identity.group_count == 2);
  CHECK(resolves("app:wheel") && identity.gid == 10 && identity.group_count == 0);
  CHECK(resolves("app:4711") && identity.gid == 4711);
  CHECK(resolves("4711") && identity.uid == 4711 && identity.gid == 0 && strcmp(identity.home, "/") == 0);
  CHECK(resolves(":wheel") && identity.uid == 0 && identity.gid == 10);
  CHECK(resolves("homeless") && identity.uid == 7 && strcmp(identity.home, "/") == 0);
  CHECK(!resolves("nobody") && strstr(reason, "nobody"));
  CHECK(!resolves("app:nogroup") && strstr(reason, "nogroup"));
  CHECK(!resolves("bad") && !resolves("99999999999"));
  CHECK(resolve_user("5:6", NULL, NULL, &identity, reason, sizeof reason) && identity.uid == 5 && identity.gid == 6);
}
