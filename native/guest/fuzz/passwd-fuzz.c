/* The image's files: passwd, group and the wanted user, cut from one input at NULs. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "exec-reason.h"
#include "oom.h"
#include "passwd.h"
#include "ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct identity identity;
  char reason[64], interpreter[256];
  struct oom_kill kill;
  char *text = need(malloc(size + 3));
  if (size > 0) memcpy(text, data, size);
  memset(text + size, 0, 3);
  const char *passwd = text, *group = passwd + strlen(passwd) + 1;
  if (group > text + size) group = text + size;
  const char *user = group + strlen(group) + 1;
  resolve_user(user > text + size ? "app" : user, passwd, group, &identity, reason, sizeof reason);
  first_listening_port(text);
  parse_oom_kill(text, &kill);
  uint8_t *head = need(malloc(size + 1));
  if (size > 0) memcpy(head, data, size);
  find_interpreter(head, size, interpreter, sizeof interpreter);
  free(head);
  free(text);
  return 0;
}
