#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOBODY = 65534 };

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "add this architecture's number for seccomp"
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, 1)
#define DO(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define ALLOW(call) SKIP_UNLESS(SYS_##call), DO(SECCOMP_RET_ALLOW)

static void fail(const char *what);

void privileges_drop(void) {
  if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0) fail("give up groups");
  /* Leaving user 0 for good takes all capabilities along (capabilities(7)). */
  if (setresuid(NOBODY, NOBODY, NOBODY) < 0) fail("become nobody");
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) fail("keep others of this user out");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("forbid new privileges");
  struct sock_filter filter[] = {
      LOAD(arch),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
      DO(SECCOMP_RET_KILL_PROCESS),
      LOAD(nr),
      ALLOW(read),
      ALLOW(write),
      ALLOW(ppoll),
      ALLOW(accept4),
      ALLOW(close),
      ALLOW(clock_gettime),
      ALLOW(writev),
      ALLOW(exit_group),
      ALLOW(restart_syscall),
      ALLOW(rt_sigreturn),
      DO(SECCOMP_RET_KILL_PROCESS),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0) fail("forbid system calls");
}

static void fail(const char *what) {
  fprintf(stderr, "waker: %s: %s\n", what, strerror(errno));
  exit(1);
}
