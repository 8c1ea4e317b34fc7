#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lines.h"

enum { LONGEST_ANSWER = 160 };

struct connection {
  int fd;
  struct lines in;
  /* Room for a report of every frame that can be held. */
  char out[1 << 19];
  size_t out_length;
};

static int listener;
static struct connection connections[MOST_CONNECTIONS];
static struct connection *greeted;
static command_handler *handler;

static void accept_one(greeter *greet);
static void receive(struct connection *c);
static bool handle_line(void *context, const char *line, size_t length);
static void append(struct connection *c, const char *line);
static void flush(struct connection *c);
static void end(struct connection *c);
static void fail(const char *what, const char *on);

void control_open(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  for (int i = 0; i < MOST_CONNECTIONS; i++) connections[i].fd = -1;
  if (strlen(path) >= sizeof address.sun_path) errno = ENAMETOOLONG, fail("bind", path);
  strcpy(address.sun_path, path);
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) fail("make a socket for", path);
  /* Whoever had it is gone: we hold the device. */
  unlink(path);
  umask(0177);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) fail("bind", path);
  if (listen(listener, MOST_CONNECTIONS) < 0) fail("listen on", path);
}

void control_poll_fds(struct pollfd *fds) {
  fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
  for (int i = 0; i < MOST_CONNECTIONS; i++) {
    const struct connection *c = &connections[i];
    /* Who does not take its answers is not asked for more. */
    fds[i + 1] = (struct pollfd){.fd = c->fd, .events = c->out_length > 0 ? POLLOUT : POLLIN};
  }
}

void control_serve(const struct pollfd *fds, command_handler *handle, greeter *greet) {
  handler = handle;
  for (int i = 0; i < MOST_CONNECTIONS; i++) {
    struct connection *c = &connections[i];
    if (fds[i + 1].revents == 0 || c->fd != fds[i + 1].fd) continue;
    if (c->out_length > 0) flush(c);
    else receive(c);
  }
  if (fds[0].revents != 0) accept_one(greet);
}

void control_tell(const char *line) {
  for (int i = 0; i < MOST_CONNECTIONS; i++) {
    struct connection *c = &connections[i];
    if (c->fd < 0 || (greeted != NULL && c != greeted)) continue;
    append(c, line);
    if (greeted == NULL) flush(c);
  }
}

static void accept_one(greeter *greet) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  for (int i = 0; i < MOST_CONNECTIONS; i++) {
    struct connection *c = &connections[i];
    if (c->fd >= 0) continue;
    c->fd = fd;
    c->in.length = c->out_length = 0;
    greeted = c;
    greet();
    greeted = NULL;
    flush(c);
    return;
  }
  close(fd);
}

static void receive(struct connection *c) {
  char bytes[4096];
  ssize_t length = read(c->fd, bytes, sizeof bytes);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length <= 0 || !lines_add(&c->in, bytes, (size_t)length, handle_line, c)) return end(c);
  flush(c);
}

static bool handle_line(void *context, const char *line, size_t length) {
  struct connection *c = context;
  struct command command;
  char answer[LONGEST_ANSWER];
  if (!command_read(line, length, &command) || !handler(&command, answer, sizeof answer)) return false;
  append(c, answer);
  return c->fd >= 0;
}

static void append(struct connection *c, const char *line) {
  if (c->fd < 0) return;
  size_t length = strlen(line);
  if (c->out_length + length > sizeof c->out) return end(c);
  memcpy(c->out + c->out_length, line, length);
  c->out_length += length;
}

static void flush(struct connection *c) {
  if (c->fd < 0 || c->out_length == 0) return;
  ssize_t written = write(c->fd, c->out, c->out_length);
  if (written < 0 && errno != EAGAIN && errno != EINTR) return end(c);
  if (written <= 0) return;
  c->out_length -= (size_t)written;
  memmove(c->out, c->out + written, c->out_length);
}

static void end(struct connection *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
}

static void fail(const char *what, const char *on) {
  fprintf(stderr, "waker: %s %s: %s\n", what, on, strerror(errno));
  exit(1);
}
