#include "packet.h"

#include <string.h>

#include "check.h"

enum { LENGTH = VNET_HEADER + 28 };

static struct packet p;

static void make(uint8_t *frame, uint8_t protocol) {
  static const uint8_t ip[] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 0, 0, 0, 192, 0, 2, 1, 10, 200, 3, 4};
  memset(frame, 0, LENGTH);
  memcpy(frame + VNET_HEADER, ip, sizeof ip);
  frame[VNET_HEADER + 9] = protocol;
}

static void reads_addresses_and_origin(void) {
  static const enum origin origins[] = {[1] = ORIGIN_ICMP, [6] = ORIGIN_TCP, [17] = ORIGIN_UDP, [47] = ORIGIN_OTHER};
  static const uint8_t protocols[] = {1, 6, 17, 47};
  uint8_t frame[LENGTH];
  for (size_t i = 0; i < sizeof protocols; i++) {
    make(frame, protocols[i]);
    CHECK(packet_read(frame, LENGTH, &p));
    CHECK(p.source == 0xc0000201 && p.destination == 0x0ac80304 && p.origin == origins[protocols[i]]);
  }
}

static void only_an_echo_request_is_not_meek(void) {
  uint8_t frame[LENGTH];
  make(frame, 1);
  CHECK(packet_read(frame, LENGTH, &p) && p.meek);
  frame[VNET_HEADER + 20] = 8;
  CHECK(packet_read(frame, LENGTH, &p) && !p.meek);
  /* A later fragment: these bytes are no ICMP header. */
  frame[VNET_HEADER + 7] = 1;
  CHECK(packet_read(frame, LENGTH, &p) && p.meek);
}

static void refuses_what_is_not_whole(void) {
  uint8_t frame[LENGTH];
  for (size_t length = 0; length < LENGTH; length++) {
    make(frame, 6);
    CHECK(!packet_read(frame, length, &p));
  }
  static const struct { int at; uint8_t value; } damages[] = {{0, 0x65}, {0, 0x44}, {0, 0x48}, {3, 19}, {3, 29}, {2, 1}};
  for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
    make(frame, 6);
    CHECK(packet_read(frame, LENGTH, &p));
    frame[VNET_HEADER + damages[i].at] = damages[i].value;
    CHECK(!packet_read(frame, LENGTH, &p));
  }
}

int main(void) {
  reads_addresses_and_origin();
  only_an_echo_request_is_not_meek();
  refuses_what_is_not_whole();
  return 0;
}
