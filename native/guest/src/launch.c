#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "environment.h"
#include "exec-reason.h"
#include "passwd.h"
#include "paths.h"
#include "platform.h"

enum { NAMES_MAX = 4 << 20 };


static void child(const struct launch *request, int report) __attribute__((noreturn));
static void take_descriptors(const struct launch *request);
static void become_user(const struct launch *request, struct identity *identity, int report);
static void enter_directory(const char *path, int make, int report);
static void set_limits(void);
static void find_and_exec(char **argv, const struct texts *env, int report) __attribute__((noreturn));
static void fail(int report, int code, const char *format, ...) __attribute__((noreturn, format(printf, 3, 4)));

void launch(const struct launch *request, struct launched *result) {
  int report[2];
  *result = (struct launched){.code = 126};
  if (pipe2(report, O_CLOEXEC) != 0) {
    snprintf(result->reason, sizeof result->reason, "make a pipe: %s", strerror(errno));
    return;
  }
  /* CLONE_VFORK without CLONE_VM: own memory, yet the agent goes on exactly when the program's first instruction is due. */
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) child(request, report[1]);
  int error = errno;
  close(report[1]);
  if (pid < 0) {
    snprintf(result->reason, sizeof result->reason, "make a process: %s", strerror(error));
  } else {
    char text[sizeof result->reason + 1] = {0};
    ssize_t got = read(report[0], text, sizeof text - 1);
    if (got <= 0) {
      result->pid = pid;
    } else {
      result->code = (unsigned char)text[0];
      snprintf(result->reason, sizeof result->reason, "%s", text + 1);
      waitpid(pid, NULL, 0);
    }
  }
  close(report[0]);
}

static void child(const struct launch *request, int report) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  setsid();
  take_descriptors(request);
  if (request->spec->terminal) ioctl(0, TIOCSCTTY, 0);
  write_text(platform_proc(), "self/oom_score_adj", "0");
  static struct identity identity;
  become_user(request, &identity, report);
  struct texts env = make_environment(&request->defaults->env, &request->spec->env, request->hostname, identity.home,
                                      request->spec->terminal);
  find_and_exec(request->spec->argv.items, &env, report);
}

/* The three may be 0 to 2 themselves, in any order: they are moved above first. */
static void take_descriptors(const struct launch *request) {
  int from[3] = {request->in, request->out, request->err};
  for (int i = 0; i < 3; i++) from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
  for (int i = 0; i < 3; i++) dup2(from[i], i);
}

static void become_user(const struct launch *request, struct identity *identity, int report) {
  const struct process_spec *spec = request->spec, *defaults = request->defaults;
  const char *user = spec->user && *spec->user ? spec->user : defaults->user ? defaults->user : "";
  size_t length;
  char reason[256];
  char *passwd = read_regular("/etc/passwd", NAMES_MAX, &length);
  char *group = read_regular("/etc/group", NAMES_MAX, &length);
  if (!resolve_user(user, passwd, group, identity, reason, sizeof reason)) fail(report, 126, "%s", reason);
  const char *directory = spec->working_directory;
  if (!directory || !*directory) directory = defaults->working_directory;
  /* As Docker has it: a missing one is made if it is the program's, and is an error if what runs beside it names it. */
  enter_directory(directory && *directory ? directory : "/", directory == defaults->working_directory, report);
  set_limits();
  umask(022);
  /* It may open it anew by its name. */
  if (spec->terminal && fchown(0, identity->uid, (gid_t)-1) != 0) fail(report, 126, "own its terminal: %s", strerror(errno));
  /* libc's own would wait for the agent's other threads, which this process does not have. */
  if (syscall(SYS_setgroups, identity->group_count, identity->groups) != 0 || syscall(SYS_setgid, identity->gid) != 0 ||
      syscall(SYS_setuid, identity->uid) != 0)
    fail(report, 126, "become user %s: %s", user, strerror(errno));
}

static void enter_directory(const char *path, int make, int report) {
  if (chdir("/") == 0 && chdir(path) == 0) return;
  if (errno == ENOENT && make && make_directories(AT_FDCWD, path, 0755) && chdir(path) == 0) return;
  fail(report, 126, "enter the working directory %s: %s", path, strerror(errno));
}

/* What systemd gives its services: programs that want more descriptors raise the soft limit themselves. */
static void set_limits(void) {
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){1024, 524288});
}

static void find_and_exec(char **argv, const struct texts *env, int report) {
  const char *name = argv[0];
  char candidate[PATH_MAX], reason[400];
  if (strchr(name, '/') || !*name) {
    execve(name, argv, env->items);
    int error = errno;
    int code = explain_exec(name, error, reason, sizeof reason);
    fail(report, code, "%s", reason);
  }
  int refused = 0;
  static char refused_path[PATH_MAX];
  const char *path = environment_get(env, "PATH");
  for (const char *at = path ? path : "", *end; at; at = *end ? end + 1 : NULL) {
    end = at + strcspn(at, ":");
    const char *separator = end == at ? "" : "/";
    int length = snprintf(candidate, sizeof candidate, "%.*s%s%s", (int)(end - at), at, separator, name);
    if (length < 0 || (size_t)length >= sizeof candidate) continue;
    execve(candidate, argv, env->items);
    int error = errno;
    struct stat status;
    if (stat(candidate, &status) != 0 || S_ISDIR(status.st_mode)) continue;
    if (error != EACCES) {
      int code = explain_exec(candidate, error, reason, sizeof reason);
      fail(report, code, "%s", reason);
    }
    if (!refused) snprintf(refused_path, sizeof refused_path, "%s", candidate);
    refused = error;
  }
  if (refused) {
    int code = explain_exec(refused_path, refused, reason, sizeof reason);
    fail(report, code, "%s", reason);
  }
  fail(report, 127, "%s: no such program in PATH (%s)", name, path ? path : "");
}

static void fail(int report, int code, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  text[0] = (char)code;
  vsnprintf(text + 1, sizeof text - 1, format, arguments);
  va_end(arguments);
  write_all(report, text, strlen(text + 1) + 1);
  _exit(code);
}
