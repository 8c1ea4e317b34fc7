/* Any order of packets, commands and time, among few addresses: nothing is lost count of, and the bounds hold. */
#include <stdlib.h>
#include <string.h>

#include "sleepers.h"

enum { POOL = 0x0ac80000, ADDRESSES = 128 };

static uint64_t out, waiting;

static void count_out(const uint8_t *frame, size_t length) { out += length > 0 && frame != NULL; }
static void count_waiting(const uint8_t *frame, size_t length) { waiting += length > 0 && frame != NULL; }

static enum fate send_to(uint8_t to, uint8_t protocol, int64_t now) {
  uint8_t frame[VNET_HEADER + 28] = {0};
  uint8_t *ip = frame + VNET_HEADER;
  ip[0] = 0x45;
  ip[3] = 28;
  ip[9] = protocol;
  ip[16] = 10;
  ip[17] = 200;
  ip[19] = to % ADDRESSES;
  ip[20] = 8;
  return sleepers_take(frame, sizeof frame, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int64_t now = 0;
  uint64_t held = 0;
  sleepers_open(POOL, 16);
  for (size_t i = 0; i + 1 < size; i += 2) {
    uint32_t address = POOL + data[i + 1] % ADDRESSES;
    uint64_t expired = sleepers_figures().expired;
    out = 0;
    switch (data[i] % 8) {
      case 0: sleepers_sleep(address); break;
      case 1: sleepers_wake(address, now, count_out); break;
      case 2: sleepers_mark(); break;
      case 3: sleepers_sweep(now, count_out); break;
      case 4: now += data[i + 1] * 100; break;
      case 5:
        for (uint32_t a = 0; a < ADDRESSES; a++) sleepers_sleep(POOL + a);
        break;
      case 6:
        for (int n = 0; n < 40; n++) {
          uint64_t dropped = sleepers_figures().dropped;
          enum fate fate = send_to(data[i + 1], 17, now);
          held += fate == FATE_HELD || fate == FATE_FIRST;
          /* A packet that is held and counted as a drop has pushed another one out. */
          if (fate != FATE_DROPPED) held -= sleepers_figures().dropped - dropped;
        }
        break;
      case 7: {
        enum fate fate = send_to(data[i + 1], 1, now);
        held += fate == FATE_HELD || fate == FATE_FIRST;
        break;
      }
    }
    if (sleepers_expire(now) == 0) abort();
    held -= out + (sleepers_figures().expired - expired);
    if (sleepers_figures().held != held || held > MOST_FRAMES) abort();
    waiting = 0;
    sleepers_each_waiting(count_waiting);
    if (waiting > ADDRESSES || waiting > held || (held > 0) != (waiting > 0)) abort();
  }
  return 0;
}
