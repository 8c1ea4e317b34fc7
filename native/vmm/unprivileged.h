/*
 * How a process becomes the VMM without privileges, by its options (see launch.c). Whoever starts it is root; if any step
 * fails, a line on stderr says which, the exit status is 126, and no code of the VMM has run.
 */
#ifndef UNPRIVILEGED_H
#define UNPRIVILEGED_H

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { input_descriptor = 3, most_inputs = 7, tap_descriptor = input_descriptor + most_inputs, most_env = 16 };

struct options {
  uid_t uid;
  gid_t group;
  int has_uid, has_group, die_with_parent;
  const char *log, *directory, *tap;
  const char *input[most_inputs];
  int input_count;
  char *env[most_env];
  int env_count;
  char **program;
};

_Noreturn static void fail(const char *what, const char *on) {
  dprintf(STDERR_FILENO, "launch: %s %s: %s\n", what, on, strerror(errno));
  _exit(126);
}

static unsigned number(const char *text) {
  char *end;
  errno = 0;
  unsigned long value = strtoul(text, &end, 10);
  if (errno == 0 && (*text < '0' || *text > '9' || *end != '\0' || value >= 0xffffffffUL)) errno = EINVAL;
  if (errno != 0) fail("read number", text);
  return (unsigned)value;
}

static struct options parse(char **arguments) {
  struct options o = {0};
  for (char **a = arguments; *a != NULL; a++) {
    if (strcmp(*a, "--") == 0) {
      o.program = a + 1;
      break;
    }
    if (strcmp(*a, "--die-with-parent") == 0) {
      o.die_with_parent = 1;
      continue;
    }
    const char *name = *a;
    char *value = *++a;
    if (value == NULL) break;
    if (strcmp(name, "--uid") == 0) o.uid = number(value), o.has_uid = 1;
    else if (strcmp(name, "--group") == 0) o.group = number(value), o.has_group = 1;
    else if (strcmp(name, "--log") == 0) o.log = value;
    else if (strcmp(name, "--directory") == 0) o.directory = value;
    else if (strcmp(name, "--tap") == 0) o.tap = value;
    else if (strcmp(name, "--input") == 0 && o.input_count < most_inputs) o.input[o.input_count++] = value;
    else if (strcmp(name, "--env") == 0 && o.env_count < most_env) o.env[o.env_count++] = value;
    else break;
  }
  if (o.program == NULL || *o.program == NULL || !o.has_uid) {
    errno = EINVAL;
    fail("read", "arguments");
  }
  return o;
}

static void open_as(const char *path, int flags, int descriptor) {
  int fd = open(path, flags, 0600);
  if (fd < 0 || (fd != descriptor && dup2(fd, descriptor) < 0)) fail("open", path);
  if (fd != descriptor) close(fd);
}

static void drop_privileges(const struct options *o) {
  if (setgroups(o->has_group ? 1 : 0, &o->group) < 0) fail("set", "groups");
  /* The bounding set first: dropping from it needs CAP_SETPCAP, which goes with the user id (capabilities(7)). */
  for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) fail("drop", "capabilities");
  if (setresgid(o->uid, o->uid, o->uid) < 0) fail("set", "group id");
  if (setresuid(o->uid, o->uid, o->uid) < 0) fail("set", "user id");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("set", "no_new_privs");
}

/* Without privileges: only its owner gets one that is there, and none is made (tun_set_iff in drivers/net/tun.c). */
static void attach_tap(const char *name) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  errno = ENAMETOOLONG;
  if (strlen(name) >= sizeof request.ifr_name) fail("attach TAP", name);
  strcpy(request.ifr_name, name);
  if (ioctl(tap_descriptor, TUNSETIFF, &request) < 0) fail("attach TAP", name);
}

static void become_unprivileged(const struct options *o) {
  /* Nothing of the starter's but the three standard descriptors goes on, whatever its close-on-exec flags. */
  for (int fd = input_descriptor; fd < 1024; fd++) close(fd);
  if (o->log != NULL) open_as(o->log, O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
  for (int i = 0; i < o->input_count; i++) open_as(o->input[i], O_RDONLY, input_descriptor + i);
  if (o->tap != NULL) open_as("/dev/net/tun", O_RDWR, tap_descriptor);
  if (o->directory != NULL && chdir(o->directory) < 0) fail("go to", o->directory);
  umask(077);
  /* A core file would hold the guest's memory. */
  if (setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) < 0) fail("limit", "core files");
  /* QEMU asks for huge pages for its buffer of translated code: an idle machine would pay for all of each 2 MiB. */
  if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0) fail("switch off", "huge pages");
  drop_privileges(o);
  if (o->tap != NULL) attach_tap(o->tap);
}

#endif
