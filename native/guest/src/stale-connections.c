#include "stale-connections.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"

/* TCP_LISTEN of linux/tcp.h's states, which cannot be included beside libc's. */
enum { LISTENING = 10, ALL_STATES = -1 };

struct request {
  struct nlmsghdr head;
  struct inet_diag_req_v2 body;
};

static void find(int fd, uint8_t protocol, uint8_t family, const uint32_t address[4], struct bytes *found);
static void find_in(const struct nlmsghdr *message, const uint32_t address[4], struct bytes *found);
static bool is_from(const struct inet_diag_msg *socket, const uint32_t address[4]);
static bool ask(int fd, struct request *request);

void end_connections_from(const char *address) {
  static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP}, families[] = {AF_INET, AF_INET6};
  uint32_t wanted[4] = {0};
  if (inet_pton(strchr(address, ':') ? AF_INET6 : AF_INET, address, wanted) != 1) return;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  for (size_t i = 0; fd >= 0 && i < 4; i++) {
    struct bytes found = {0};
    uint8_t protocol = protocols[i / 2], family = families[i % 2];
    find(fd, protocol, family, wanted, &found);
    for (size_t at = 0; at < found.length; at += sizeof(struct inet_diag_sockid)) {
      struct request request = {.head.nlmsg_type = SOCK_DESTROY, .head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
      request.body.sdiag_family = family, request.body.sdiag_protocol = protocol;
      request.body.idiag_states = (uint32_t)ALL_STATES;
      memcpy(&request.body.id, found.data + at, sizeof request.body.id);
      char answer[512];
      if (ask(fd, &request)) recv(fd, answer, sizeof answer, 0);
    }
    bytes_free(&found);
  }
  if (fd >= 0) close(fd);
}

/* The list is read to its end before any is ended: a dump that changes under way may skip some. */
static void find(int fd, uint8_t protocol, uint8_t family, const uint32_t address[4], struct bytes *found) {
  struct request request = {.head.nlmsg_type = SOCK_DIAG_BY_FAMILY, .head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP};
  request.body.sdiag_family = family, request.body.sdiag_protocol = protocol;
  request.body.idiag_states = ~(1u << LISTENING);
  if (!ask(fd, &request)) return;
  for (;;) {
    static _Alignas(NLMSG_ALIGNTO) char answer[32 << 10];
    ssize_t got = recv(fd, answer, sizeof answer, 0);
    if (got <= 0) return;
    const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)answer;
    for (int left = (int)got; NLMSG_OK(message, (unsigned)left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) return;
      find_in(message, address, found);
    }
  }
}

static void find_in(const struct nlmsghdr *message, const uint32_t address[4], struct bytes *found) {
  const struct inet_diag_msg *socket = NLMSG_DATA(message);
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof *socket) || !is_from(socket, address)) return;
  bytes_append(found, &socket->id, sizeof socket->id);
}

/* A socket of the newer family may be bound to an address of the older one (::ffff:a.b.c.d). */
static bool is_from(const struct inet_diag_msg *socket, const uint32_t address[4]) {
  const uint32_t *source = socket->id.idiag_src;
  if (memcmp(source, address, 16) == 0) return true;
  bool older = !address[1] && !address[2] && !address[3];
  return older && !source[0] && !source[1] && source[2] == htonl(0xffff) && source[3] == address[0];
}

static bool ask(int fd, struct request *request) {
  request->head.nlmsg_len = sizeof *request;
  return send(fd, request, sizeof *request, 0) == sizeof *request;
}
