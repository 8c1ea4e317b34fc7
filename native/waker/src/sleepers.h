/*
 * Who sleeps, and what is held for whom. Touches nothing outside: packets and the time come in, packets go out.
 *
 *   unknown --sleep--> asleep --wake--> awake --(BELATED_MS)--> unknown
 *                       held packets out   a belated packet goes out at once
 */
#pragma once
#include <stdint.h>

#include "packet.h"

enum {
  /* A packet of the TUN's MTU of 1500 with its header. */
  LONGEST_FRAME = 1520,
  /* 8 MB in all. */
  MOST_FRAMES = 5400,
  MOST_PER_ADDRESS = 64,
  HOLD_MS = 30000,
  /* A packet that was routed before the route changed may reach us after the release. */
  BELATED_MS = 2000,
  /* Whoever is held for is reported again with a packet that comes so long after the last report. */
  AGAIN_MS = 3000,
  /* Pings wake a sleeper at most this often. */
  PING_MS = 10000,
};

enum fate {
  FATE_DROPPED,
  FATE_HELD,
  /* Held, and the first since the address fell asleep, or the first for a while: to be reported. */
  FATE_FIRST,
  /* Belongs back at once. */
  FATE_BACK,
};

struct figures {
  uint64_t held, dropped, expired, reported, released;
};

typedef void frame_visitor(const uint8_t *frame, size_t length);

/* `length` from 16 to 32. Forgets everything. */
void sleepers_open(uint32_t pool, unsigned length);
/* False for an address outside the pool. */
bool sleepers_sleep(uint32_t address);
/* Hands over what is held, in order of arrival. False for an address outside the pool. */
bool sleepers_wake(uint32_t address, int64_t now_ms, frame_visitor *out);
void sleepers_mark(void);
/* Wakes those who were not put to sleep since `sleepers_mark`. */
void sleepers_sweep(int64_t now_ms, frame_visitor *out);
enum fate sleepers_take(const uint8_t *frame, size_t length, int64_t now_ms);
/* The first held frame of every address that has some. */
void sleepers_each_waiting(frame_visitor *visit);
/* Drops what is too old. Milliseconds until there is more to drop, or -1. */
int sleepers_expire(int64_t now_ms);
struct figures sleepers_figures(void);
