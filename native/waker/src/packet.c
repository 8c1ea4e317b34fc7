#include "packet.h"

enum { SHORTEST_HEADER = 20, PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, ECHO_REQUEST = 8 };

static uint32_t read32(const uint8_t *bytes);
static unsigned read16(const uint8_t *bytes);
static enum origin origin_of(uint8_t protocol);

const char *origin_name(enum origin origin) {
  static const char *const names[] = {"tcp", "udp", "icmp", "other"};
  return names[origin];
}

bool packet_read(const uint8_t *frame, size_t length, struct packet *packet) {
  if (length < VNET_HEADER + SHORTEST_HEADER) return false;
  const uint8_t *ip = frame + VNET_HEADER;
  size_t there = length - VNET_HEADER, header = (ip[0] & 15u) * 4u;
  if (ip[0] >> 4 != 4 || header < SHORTEST_HEADER || header > there) return false;
  if (read16(ip + 2) < header || read16(ip + 2) > there) return false;
  packet->source = read32(ip + 12);
  packet->destination = read32(ip + 16);
  packet->origin = origin_of(ip[9]);
  bool first_fragment = (read16(ip + 6) & 0x1fffu) == 0;
  bool echo = first_fragment && there > header && ip[header] == ECHO_REQUEST;
  packet->meek = packet->origin == ORIGIN_ICMP && !echo;
  return true;
}

static uint32_t read32(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static unsigned read16(const uint8_t *bytes) { return (unsigned)bytes[0] << 8 | bytes[1]; }

static enum origin origin_of(uint8_t protocol) {
  switch (protocol) {
    case PROTOCOL_TCP: return ORIGIN_TCP;
    case PROTOCOL_UDP: return ORIGIN_UDP;
    case PROTOCOL_ICMP: return ORIGIN_ICMP;
    default: return ORIGIN_OTHER;
  }
}
