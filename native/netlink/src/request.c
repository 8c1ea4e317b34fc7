#include "request.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_socket(void) {
  static int fd = -1;
  if (fd < 0) fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  return fd;
}

static char *end_of(struct request *request) { return (char *)request + NLMSG_ALIGN(request->header.nlmsg_len); }

void request_begin(struct request *request, uint16_t type, uint16_t flags, const void *body, size_t length) {
  memset(request, 0, sizeof *request);
  request->header.nlmsg_type = type;
  request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
  request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(length);
  memcpy(NLMSG_DATA(&request->header), body, length);
}

void request_add(struct request *request, uint16_t attribute, const void *bytes, size_t length) {
  struct rtattr *at = (struct rtattr *)(void *)end_of(request);
  /* Only for a command that says one thing many times. */
  if ((char *)at + RTA_SPACE(length) > (char *)(request + 1)) abort();
  at->rta_type = attribute;
  at->rta_len = (uint16_t)RTA_LENGTH(length);
  if (length > 0) memcpy(RTA_DATA(at), bytes, length);
  request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + (uint32_t)RTA_ALIGN(at->rta_len);
}

void request_add_number(struct request *request, uint16_t attribute, uint32_t value) {
  request_add(request, attribute, &value, sizeof value);
}

size_t request_open(struct request *request, uint16_t attribute) {
  size_t opened = NLMSG_ALIGN(request->header.nlmsg_len);
  request_add(request, attribute, NULL, 0);
  return opened;
}

void request_close(struct request *request, size_t opened) {
  struct rtattr *at = (struct rtattr *)(void *)((char *)request + opened);
  at->rta_len = (uint16_t)(request->header.nlmsg_len - opened);
}

int request_send(struct request *request) {
  static uint32_t sequence;
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[1024];
  } answer;
  int fd = open_socket();
  if (fd < 0) return errno;
  request->header.nlmsg_seq = ++sequence;
  if (send(fd, request, request->header.nlmsg_len, 0) < 0) return errno;
  for (;;) {
    ssize_t length = recv(fd, &answer, sizeof answer, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno;
    if ((size_t)length < sizeof answer.header + sizeof answer.error) return EPROTO;
    if (answer.header.nlmsg_seq != sequence || answer.header.nlmsg_type != NLMSG_ERROR) continue;
    return -answer.error.error;
  }
}
