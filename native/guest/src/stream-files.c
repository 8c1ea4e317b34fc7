#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control.h"
#include "fields.h"
#include "file-read.h"
#include "file-write.h"
#include "streams.h"

/* Several records at once: fewer changes between agent and worker. */
enum { PIPE_BYTES = 256 << 10 };

static bool open_worker(const uint8_t *payload, size_t length, struct stream_ends *ends, char *reason, size_t size,
                        bool writes);
static void work(const char *path, int in, int out, bool writes) __attribute__((noreturn));

bool stream_open_read(const uint8_t *payload, size_t length, struct stream_ends *ends, int *code, char *reason,
                      size_t size) {
  *code = 1;
  return open_worker(payload, length, ends, reason, size, false);
}

bool stream_open_write(const uint8_t *payload, size_t length, struct stream_ends *ends, int *code, char *reason,
                       size_t size) {
  *code = 1;
  ends->tidy = true;
  return open_worker(payload, length, ends, reason, size, true);
}

/* A process of its own: it may wait for disks, and what it opens and remembers goes away with it. */
static bool open_worker(const uint8_t *payload, size_t length, struct stream_ends *ends, char *reason, size_t size,
                        bool writes) {
  struct field_reader reader = {payload, length};
  struct field field;
  char *path = NULL;
  snprintf(reason, size, "the machine is not set up yet, or about to end");
  if (control_state() != STATE_CONFIGURED) return false;
  snprintf(reason, size, "malformed file request");
  if (field_next(&reader, &field) != 1 || field.key != KEY_PATH || !(path = field_text(&field))) return false;
  int in[2] = {-1, -1}, out[2] = {-1, -1};
  if (pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0) ends->pid = fork();
  fcntl(in[1], F_SETPIPE_SZ, PIPE_BYTES), fcntl(out[0], F_SETPIPE_SZ, PIPE_BYTES);
  snprintf(reason, size, "start a file worker: %s", strerror(errno));
  if (ends->pid == 0 && out[1] >= 0) {
    close(in[1]), close(out[0]);
    work(path, in[0], out[1], writes);
  }
  free(path);
  close(in[0]), close(out[1]);
  ends->in = in[1], ends->out = out[0];
  if (ends->pid <= 0) return close(in[1]), close(out[0]), false;
  fcntl(ends->in, F_SETFL, O_NONBLOCK);
  fcntl(ends->out, F_SETFL, O_NONBLOCK);
  return true;
}

static void work(const char *path, int in, int out, bool writes) {
  setsid();
  /* Not one descriptor of another stream may stay open here: its other end would never see the end. */
  dup2(in, 0), dup2(out, 1);
  syscall(SYS_close_range, 3, ~0U, 0);
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){65536, 65536});
  if (chdir("/") != 0) _exit(1);
  _exit(writes ? write_files(path, 0, 1) : read_files(path, 1));
}
