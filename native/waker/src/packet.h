/* What matters here of an IPv4 packet that the kernel routed to the TUN. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* struct virtio_net_hdr, as the TUN puts it before every packet: it says which checksum is still to be filled in. */
enum { VNET_HEADER = 10 };

enum origin { ORIGIN_TCP, ORIGIN_UDP, ORIGIN_ICMP, ORIGIN_OTHER };

struct packet {
  uint32_t source, destination;
  enum origin origin;
  /* ICMP that is no echo request: an answer or an error, for which nobody should be woken. */
  bool meek;
};

const char *origin_name(enum origin origin);

/* False for what is no whole IPv4 packet. */
bool packet_read(const uint8_t *frame, size_t length, struct packet *packet);
