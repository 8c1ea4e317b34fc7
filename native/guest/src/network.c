#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stale-connections.h"

/* Several requests in one datagram; the kernel answers each in order. */
struct batch {
  size_t length;
  unsigned count;
  _Alignas(NLMSG_ALIGNTO) char bytes[1024];
};

static bool remove_address(unsigned index, const char *address);
static struct nlmsghdr *begin(struct batch *batch, int type, int flags, const void *body, size_t length);
static void attribute(struct batch *batch, struct nlmsghdr *message, int type, const void *data, size_t length);
static void link_up(struct batch *batch, unsigned index);
static bool send_batch(struct batch *batch);

void network_loopback_up(void) {
  struct batch batch = {0};
  link_up(&batch, 1);
  if (!send_batch(&batch)) fprintf(stderr, "uni-agent: loopback up: %m\n");
}

bool network_configure(const char *address, const char *gateway, const char **reason) {
  unsigned char local[16], via[16];
  int family = strchr(address, ':') ? AF_INET6 : AF_INET;
  size_t size = family == AF_INET6 ? 16 : 4;
  *reason = "the configured address is none";
  if (inet_pton(family, address, local) != 1 || inet_pton(family, gateway, via) != 1) return false;
  unsigned index = if_nametoindex("eth0");
  *reason = "the machine has no network interface";
  if (index == 0) return false;
  struct batch batch = {0};
  struct ifaddrmsg ip = {.ifa_family = (unsigned char)family, .ifa_prefixlen = (unsigned char)(size * 8), .ifa_index = index};
  struct nlmsghdr *message = begin(&batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &ip, sizeof ip);
  attribute(&batch, message, IFA_LOCAL, local, size);
  attribute(&batch, message, IFA_ADDRESS, local, size);
  link_up(&batch, index);
  struct rtmsg route = {.rtm_family = (unsigned char)family, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT};
  route.rtm_scope = RT_SCOPE_UNIVERSE, route.rtm_type = RTN_UNICAST, route.rtm_flags = RTNH_F_ONLINK;
  message = begin(&batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route, sizeof route);
  attribute(&batch, message, RTA_GATEWAY, via, size);
  attribute(&batch, message, RTA_OIF, &index, sizeof index);
  *reason = "the kernel refused the address or the route";
  return send_batch(&batch);
}

bool network_become(const uint8_t mac[6], const char *old, const char *address, const char *gateway, const char **reason) {
  unsigned index = if_nametoindex("eth0");
  bool moved = old && strcmp(old, address) != 0;
  *reason = "the machine has no network interface";
  if (index == 0) return false;
  /* Without its address a connection can send nothing more, so none of the ends below reaches the other side. */
  *reason = "the kernel kept the old address";
  if (moved && !remove_address(index, old)) return false;
  struct batch batch = {0};
  struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
  attribute(&batch, begin(&batch, RTM_NEWLINK, 0, &link, sizeof link), IFLA_ADDRESS, mac, 6);
  *reason = "the kernel refused the MAC address";
  if (!send_batch(&batch) || !network_configure(address, gateway, reason)) return false;
  if (moved) end_connections_from(old);
  return true;
}

/* Gone already is as good. */
static bool remove_address(unsigned index, const char *address) {
  unsigned char local[16];
  int family = strchr(address, ':') ? AF_INET6 : AF_INET;
  size_t size = family == AF_INET6 ? 16 : 4;
  if (inet_pton(family, address, local) != 1) return false;
  struct batch batch = {0};
  struct ifaddrmsg ip = {.ifa_family = (unsigned char)family, .ifa_prefixlen = (unsigned char)(size * 8), .ifa_index = index};
  attribute(&batch, begin(&batch, RTM_DELADDR, 0, &ip, sizeof ip), IFA_LOCAL, local, size);
  return send_batch(&batch) || errno == EADDRNOTAVAIL;
}

static void link_up(struct batch *batch, unsigned index) {
  struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  begin(batch, RTM_NEWLINK, 0, &link, sizeof link);
}

static struct nlmsghdr *begin(struct batch *batch, int type, int flags, const void *body, size_t length) {
  struct nlmsghdr *message = (struct nlmsghdr *)(void *)(batch->bytes + batch->length);
  message->nlmsg_len = (uint32_t)NLMSG_LENGTH(length);
  message->nlmsg_type = (uint16_t)type;
  message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
  memcpy(NLMSG_DATA(message), body, length);
  batch->length += NLMSG_ALIGN(message->nlmsg_len);
  batch->count++;
  return message;
}

static void attribute(struct batch *batch, struct nlmsghdr *message, int type, const void *data, size_t length) {
  struct rtattr *at = (struct rtattr *)(void *)((char *)message + NLMSG_ALIGN(message->nlmsg_len));
  at->rta_type = (unsigned short)type;
  at->rta_len = (unsigned short)RTA_LENGTH(length);
  memcpy(RTA_DATA(at), data, length);
  message->nlmsg_len = (uint32_t)(NLMSG_ALIGN(message->nlmsg_len) + RTA_ALIGN(at->rta_len));
  batch->length = (size_t)((char *)message - batch->bytes) + NLMSG_ALIGN(message->nlmsg_len);
}

static bool send_batch(struct batch *batch) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  bool ok = fd >= 0 && send(fd, batch->bytes, batch->length, 0) == (ssize_t)batch->length;
  for (unsigned answered = 0; ok && answered < batch->count;) {
    _Alignas(NLMSG_ALIGNTO) char answer[4096];
    ssize_t got = recv(fd, answer, sizeof answer, 0);
    if (got <= 0) break;
    struct nlmsghdr *message = (struct nlmsghdr *)(void *)answer;
    for (int left = (int)got; NLMSG_OK(message, (unsigned)left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type != NLMSG_ERROR) continue;
      answered++;
      const struct nlmsgerr *error = NLMSG_DATA(message);
      if (error->error == 0) continue;
      errno = -error->error;
      ok = false;
    }
  }
  close(fd);
  return ok;
}
