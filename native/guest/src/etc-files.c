#include "etc-files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paths.h"

static void replace(int etc, const char *name, const char *text, mode_t mode);
static bool holds(int etc, const char *name, const char *text);
static bool wants_machine_id(int etc);

void write_etc_files(const struct configuration *config) {
  mkdir("/etc", 0755);
  int etc = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (etc < 0) return;
  char text[4096];
  size_t used = 0;
  snprintf(text, sizeof text, "%s\n", config->hostname);
  replace(etc, "hostname", text, 0644);
  snprintf(text, sizeof text,
           "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n"
           "ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n%s\t%s\n",
           config->address ? config->address : "127.0.1.1", config->hostname);
  replace(etc, "hosts", text, 0644);
  text[0] = 0;
  for (size_t i = 0; i < config->nameservers.count && used < sizeof text - 128; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "nameserver %.64s\n", config->nameservers.items[i]);
  replace(etc, "resolv.conf", text, 0644);
  if (config->machine_id && wants_machine_id(etc)) {
    snprintf(text, sizeof text, "%s\n", config->machine_id);
    replace(etc, "machine-id", text, 0444);
  }
  close(etc);
}

/* A link or a device of that name goes away with what it was: nothing is written through it. */
static void replace(int etc, const char *name, const char *text, mode_t mode) {
  if (holds(etc, name, text)) return;
  unlinkat(etc, name, 0);
  int fd = openat(etc, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) {
    fprintf(stderr, "uni-agent: cannot write /etc/%s: %m\n", name);
    return;
  }
  fchmod(fd, mode);
  write_all(fd, text, strlen(text));
  close(fd);
}

static bool holds(int etc, const char *name, const char *text) {
  char old[4096];
  struct stat status;
  if (fstatat(etc, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) return false;
  if ((size_t)status.st_size != strlen(text) || (size_t)status.st_size >= sizeof old) return false;
  return read_text(etc, name, old, sizeof old) >= 0 && strcmp(old, text) == 0;
}

static bool wants_machine_id(int etc) {
  return faccessat(etc, "machine-id", F_OK, AT_SYMLINK_NOFOLLOW) == 0 || access("/lib/systemd/systemd", F_OK) == 0 ||
         access("/usr/lib/systemd/systemd", F_OK) == 0;
}
