/*
 * Becomes the VMM without privileges: `launch OPTION... -- PROGRAM ARGUMENT...`, started by root.
 *
 *   --uid N            user and group of the program, no supplementary groups
 *   --group N          one supplementary group (the one of /dev/kvm)
 *   --input PATH       opened for reading by root, handed to the program as descriptor 3; the next ones as 4 to 9
 *   --env NAME=VALUE   added to the program's environment
 *   --die-with-parent  the kernel kills the program when the process that started us ends
 *
 * Exit status 126 and a line on stderr if any step fails; then nothing was started.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { input_descriptor = 3, most_inputs = 7, most_env = 16 };

struct options {
  uid_t uid;
  gid_t group;
  int has_uid, has_group, die_with_parent;
  const char *input[most_inputs];
  int input_count;
  const char *env[most_env];
  int env_count;
  char **program;
};

_Noreturn static void fail(const char *what, const char *on) {
  fprintf(stderr, "launch: %s %s: %s\n", what, on, strerror(errno));
  exit(126);
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
    const char *name = *a, *value = *++a;
    if (value == NULL) break;
    if (strcmp(name, "--uid") == 0) o.uid = number(value), o.has_uid = 1;
    else if (strcmp(name, "--group") == 0) o.group = number(value), o.has_group = 1;
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

/* All from `input_descriptor` on are closed, and open(2) takes the lowest: each input becomes the next one. */
static void open_input(const char *path, int expected) {
  int fd = open(path, O_RDONLY);
  if (fd >= 0 && fd != expected) errno = EBADF;
  if (fd != expected) fail("open", path);
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

int main(int argc, char **argv) {
  if (argc < 1) return 126;
  struct options o = parse(argv + 1);
  pid_t parent = getppid();
  /* Nothing of the starter's but the three standard descriptors goes on, whatever its close-on-exec flags. */
  for (int fd = 3; fd < 1024; fd++) close(fd);
  for (int i = 0; i < o.input_count; i++) open_input(o.input[i], input_descriptor + i);
  umask(077);
  /* A core file would hold the guest's memory. */
  if (setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) < 0) fail("limit", "core files");
  /* QEMU asks for huge pages for its buffer of translated code: an idle machine would pay for all of each 2 MiB. */
  if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0) fail("switch off", "huge pages");
  drop_privileges(&o);
  if (o.die_with_parent) {
    /* After the change of user, which resets it (prctl(2)); a parent that ended before is seen by its id. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) fail("tie", "to parent");
    if (getppid() != parent) return 126;
  }
  for (int i = 0; i < o.env_count; i++)
    if (putenv((char *)o.env[i]) != 0) fail("set", o.env[i]);
  execvp(o.program[0], o.program);
  fail("start", o.program[0]);
}
