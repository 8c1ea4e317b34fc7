#include "clone-signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 16, SIGNALS = 65 };

/* By Linux's numbers on all architectures that have no numbering of their own; real-time signals have no names here. */
static const char *const names[SIGNALS] = {
    "none",      [SIGHUP] = "HUP",     [SIGINT] = "INT",   [SIGQUIT] = "QUIT",     [SIGILL] = "ILL",
    [SIGTRAP] = "TRAP", [SIGABRT] = "ABRT",   [SIGBUS] = "BUS",   [SIGFPE] = "FPE",       [SIGKILL] = "KILL",
    [SIGUSR1] = "USR1", [SIGSEGV] = "SEGV",   [SIGUSR2] = "USR2", [SIGPIPE] = "PIPE",     [SIGALRM] = "ALRM",
    [SIGTERM] = "TERM", [SIGCHLD] = "CHLD",   [SIGCONT] = "CONT", [SIGSTOP] = "STOP",     [SIGTSTP] = "TSTP",
    [SIGTTIN] = "TTIN", [SIGTTOU] = "TTOU",   [SIGURG] = "URG",   [SIGXCPU] = "XCPU",     [SIGXFSZ] = "XFSZ",
    [SIGPROF] = "PROF", [SIGWINCH] = "WINCH", [SIGIO] = "IO",     [SIGVTALRM] = "VTALRM", [SIGPWR] = "PWR",
    [SIGSYS] = "SYS",
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int chosen;

static int parse(const char *text);
static ssize_t file_read(const struct fuse_request *request, char *to, size_t size);
static size_t format(char text[32]);
static uint64_t file_size(uint64_t node);
static ssize_t file_write(const struct fuse_request *request);

const struct pseudo_file clone_signal_file = {.read = file_read, .write = file_write, .size = file_size};

int clone_signal(void) {
  pthread_mutex_lock(&lock);
  int number = chosen;
  pthread_mutex_unlock(&lock);
  return number;
}

int clone_signal_set(const char *text, size_t length) {
  char copy[TEXT_MAX + 1];
  if (length > 0 && text[length - 1] == '\n') length--;
  if (length == 0 || length > TEXT_MAX || memchr(text, 0, length)) return EINVAL;
  memcpy(copy, text, length);
  copy[length] = 0;
  int number = parse(copy);
  if (number < 0) return EINVAL;
  pthread_mutex_lock(&lock);
  chosen = number;
  pthread_mutex_unlock(&lock);
  return 0;
}

static int parse(const char *text) {
  if (*text >= '0' && *text <= '9') {
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    return *end || number >= SIGNALS ? -1 : (int)number;
  }
  if (strncmp(text, "SIG", 3) == 0) text += 3;
  for (int number = 0; number < SIGNALS; number++)
    if (names[number] && strcmp(names[number], text) == 0) return number;
  return -1;
}

static ssize_t file_read(const struct fuse_request *request, char *to, size_t size) {
  char text[32];
  return fuse_slice(request, text, format(text), to, size);
}

static uint64_t file_size(uint64_t node) {
  (void)node;
  char text[32];
  return format(text);
}

static size_t format(char text[32]) {
  int number = clone_signal();
  const char *name = names[number];
  if (!name) return (size_t)snprintf(text, 32, "%d\n", number);
  return (size_t)snprintf(text, 32, "%s%s\n", number ? "SIG" : "", name);
}

static ssize_t file_write(const struct fuse_request *request) {
  int error = clone_signal_set((const char *)request->data, request->length);
  return error ? -error : (ssize_t)request->length;
}
