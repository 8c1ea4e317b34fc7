#include "etc-files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paths.h"

/* Larger ones are not looked at: they hold more than ours. */
enum { TEXT_MAX = 4096, CHANGED_MAX = 256 << 10 };

static const char hosts_head[] =
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n"
    "ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

static void hostname_line(const struct self *self, char text[TEXT_MAX]);
static void hosts_line(const struct self *self, char text[TEXT_MAX]);
static void resolver_lines(const struct self *self, char text[TEXT_MAX]);
static int open_etc(void);
static void change(int etc, const char *name, void (*text_of)(const struct self *self, char *text),
                   const struct self *old, const struct self *self);
static char *lines_in(char *all, const char *lines);
static char *read_own(int etc, const char *name);
static void replace(int etc, const char *name, const char *text, mode_t mode);
static void rewrite(int etc, const char *name, const char *text, size_t before);
static void write_machine_id(int etc, const struct self *self);
static bool wants_machine_id(int etc);

void write_etc_files(const struct self *self) {
  mkdir("/etc", 0755);
  int etc = open_etc();
  if (etc < 0) return;
  char text[TEXT_MAX], line[TEXT_MAX];
  hostname_line(self, text);
  replace(etc, "hostname", text, 0644);
  hosts_line(self, line);
  snprintf(text, sizeof text, "%s%s", hosts_head, line);
  replace(etc, "hosts", text, 0644);
  resolver_lines(self, text);
  replace(etc, "resolv.conf", text, 0644);
  write_machine_id(etc, self);
  close(etc);
}

void change_etc_files(const struct self *old, const struct self *self) {
  int etc = open_etc();
  if (etc < 0) return;
  change(etc, "hostname", hostname_line, old, self);
  change(etc, "hosts", hosts_line, old, self);
  change(etc, "resolv.conf", resolver_lines, old, self);
  write_machine_id(etc, self);
  close(etc);
}

static void hostname_line(const struct self *self, char text[TEXT_MAX]) { snprintf(text, TEXT_MAX, "%s\n", self->hostname); }

static void hosts_line(const struct self *self, char text[TEXT_MAX]) {
  snprintf(text, TEXT_MAX, "%s\t%s\n", self->address ? self->address : "127.0.1.1", self->hostname);
}

static void resolver_lines(const struct self *self, char text[TEXT_MAX]) {
  size_t used = 0;
  text[0] = 0;
  for (size_t i = 0; i < self->nameservers.count && used < TEXT_MAX - 128; i++)
    used += (size_t)snprintf(text + used, TEXT_MAX - used, "nameserver %.64s\n", self->nameservers.items[i]);
}

static int open_etc(void) { return open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

static void change(int etc, const char *name, void (*text_of)(const struct self *self, char *text),
                   const struct self *old, const struct self *self) {
  char before[TEXT_MAX], after[TEXT_MAX];
  text_of(old, before);
  text_of(self, after);
  if (strcmp(before, after) == 0) return;
  char *all = read_own(etc, name), *at = all ? lines_in(all, before) : NULL;
  if (at) {
    size_t size = strlen(all) + strlen(after) + 1;
    char *changed = need(malloc(size));
    snprintf(changed, size, "%.*s%s%s", (int)(at - all), all, after, at + strlen(before));
    rewrite(etc, name, changed, strlen(all));
    free(changed);
  }
  free(all);
}

/* Whole lines. No lines are nowhere. */
static char *lines_in(char *all, const char *lines) {
  for (char *at = *lines ? strstr(all, lines) : NULL; at; at = strstr(at + 1, lines))
    if (at == all || at[-1] == '\n') return at;
  return NULL;
}

/* What is no regular file of a sensible size was not written by us. */
static char *read_own(int etc, const char *name) {
  struct stat status;
  int fd = openat(etc, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  char *text = NULL;
  if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= CHANGED_MAX) {
    size_t size = (size_t)status.st_size;
    text = need(malloc(size + 1));
    text[read_all(fd, text, size) ? size : 0] = 0;
  }
  if (fd >= 0) close(fd);
  return text;
}

/* Made aside and renamed. A link or a device of that name goes away with what it was: nothing is written through it. */
static void replace(int etc, const char *name, const char *text, mode_t mode) {
  char aside[64], *old = read_own(etc, name);
  bool same = old && strcmp(old, text) == 0;
  free(old);
  if (same) return;
  snprintf(aside, sizeof aside, ".uni-%s", name);
  unlinkat(etc, aside, 0);
  int fd = openat(etc, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  bool ok = fd >= 0 && write_all(fd, text, strlen(text)) && fchmod(fd, mode) == 0 && renameat(etc, aside, etc, name) == 0;
  if (!ok) fprintf(stderr, "uni-agent: cannot write /etc/%s: %m\n", name);
  if (fd >= 0) close(fd);
}

/*
 * A regular file, whose bytes are in memory: only they change. A new one, also one that is renamed over the old, or a truncation,
 * has ext4 write to the disk at once (auto_da_alloc), for which a machine that wakes has no time.
 */
static void rewrite(int etc, const char *name, const char *text, size_t before) {
  size_t length = strlen(text);
  int fd = openat(etc, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  bool ok = fd >= 0 && pwrite(fd, text, length, 0) == (ssize_t)length && (length >= before || ftruncate(fd, (off_t)length) == 0);
  if (!ok) fprintf(stderr, "uni-agent: cannot change /etc/%s: %m\n", name);
  if (fd >= 0) close(fd);
}

static void write_machine_id(int etc, const struct self *self) {
  char text[128];
  if (!self->machine_id || !wants_machine_id(etc)) return;
  snprintf(text, sizeof text, "%s\n", self->machine_id);
  char *old = read_own(etc, "machine-id");
  bool same_size = old && strlen(old) == strlen(text);
  if (!same_size) replace(etc, "machine-id", text, 0444);
  else if (strcmp(old, text) != 0) rewrite(etc, "machine-id", text, strlen(old));
  free(old);
}

static bool wants_machine_id(int etc) {
  return faccessat(etc, "machine-id", F_OK, AT_SYMLINK_NOFOLLOW) == 0 || access("/lib/systemd/systemd", F_OK) == 0 ||
         access("/usr/lib/systemd/systemd", F_OK) == 0;
}
