/*
 * A command of QEMU's machine protocol (qemu-qmp-ref(7)) that is sent but for its last byte, on a connection of its own. QEMU
 * takes in what it is asked byte by byte, with seven system calls each (monitor_can_read in monitor/monitor.c), which for a
 * short command is most of what it costs; what was sent ahead costs nothing when it counts.
 */
#ifndef AHEAD_H
#define AHEAD_H

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { most_answer = 65536, answer_seconds = 10 };

struct ahead {
  int socket;
  FILE *answers;
  const char *command;
  size_t sent;
};

/* Why a step failed, in words. */
static char reason[256];

static int because(const char *what, const char *why) {
  snprintf(reason, sizeof reason, "%s: %s", what, why);
  return 0;
}

static int send_up_to(struct ahead *ahead, size_t end) {
  while (ahead->sent < end) {
    ssize_t sent = send(ahead->socket, ahead->command + ahead->sent, end - ahead->sent, MSG_NOSIGNAL);
    if (sent < 0) return because("ask QEMU", strerror(errno));
    ahead->sent += (size_t)sent;
  }
  return 1;
}

/* Events and the greeting come between answers. False if it refused, with its reason, or if there is no answer. */
static int await_answer(struct ahead *ahead) {
  static char line[most_answer];
  static const char good[] = "{\"return\"", bad[] = "{\"error\"", said[] = "\"desc\":";
  for (;;) {
    errno = 0;
    if (fgets(line, sizeof line, ahead->answers) == NULL)
      return because("ask QEMU", errno == EAGAIN ? "no answer" : errno != 0 ? strerror(errno) : "it closed the connection");
    if (strncmp(line, good, sizeof good - 1) == 0) return 1;
    if (strncmp(line, bad, sizeof bad - 1) != 0) continue;
    char *why = strstr(line, said);
    if (why != NULL) why = strchr(why + sizeof said - 1, '"');
    if (why == NULL) return because("ask QEMU", "no reason given");
    why[1 + strcspn(why + 1, "\"")] = '\0';
    return because("ask QEMU", why + 1);
  }
}

/* Until QEMU has taken in all that was sent; how much it has not: SIOCOUTQ (unix_outq_len in net/unix/af_unix.c). */
static int await_taken_in(const struct ahead *ahead) {
  enum { look_us = 200 };
  for (int left = 0, looks = answer_seconds * 1000000 / look_us; looks > 0; looks--) {
    if (ioctl(ahead->socket, SIOCOUTQ, &left) < 0) return because("ask QEMU", strerror(errno));
    if (left == 0) return 1;
    usleep(look_us);
  }
  return because("ask QEMU", "it does not listen");
}

/* What lies there is QEMU's user's: no link is followed to somebody else's socket. */
static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct timeval limit = {.tv_sec = answer_seconds};
  int there = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  int fd = there < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", there);
  int is_connected = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
                     setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
                     connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
  if (!is_connected) because(path, strerror(errno));
  if (there >= 0) close(there);
  if (is_connected) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

/* A command whose answer is awaited at once; the descriptor goes with it (unix(7)), unless it is -1. */
static int ask(struct ahead *ahead, const char *command, int descriptor) {
  char control[CMSG_SPACE(sizeof descriptor)] = {0};
  struct iovec bytes = {(char *)(uintptr_t)command, strlen(command)};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof descriptor), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  if (sendmsg(ahead->socket, &message, MSG_NOSIGNAL) != (ssize_t)bytes.iov_len) return because("ask QEMU", strerror(errno));
  return await_answer(ahead);
}

/* False, with a reason, if there is nobody at the socket who takes commands. */
static int open_ahead(struct ahead *ahead, const char *path) {
  ahead->socket = connect_to(path);
  if (ahead->socket < 0) return 0;
  ahead->answers = fdopen(ahead->socket, "r");
  if (ahead->answers == NULL) return because(path, strerror(errno));
  return ask(ahead, "{\"execute\":\"qmp_capabilities\"}", -1);
}

/* All of it but for its last byte, which `carry_out` sends: the command must last. */
static int send_ahead(struct ahead *ahead, const char *command) {
  ahead->command = command;
  ahead->sent = 0;
  return send_up_to(ahead, strlen(command) - 1);
}

/* Sends what is missing of it: when it is asked again, all. */
static int carry_out(struct ahead *ahead) {
  int sent = send_up_to(ahead, strlen(ahead->command));
  ahead->sent = 0;
  return sent && await_answer(ahead);
}

#endif
