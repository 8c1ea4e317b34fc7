/*
 * Holds packets for machines that sleep. The kernel routes the whole pool to one TUN; whoever is awake has a more
 * specific route, so what arrives here is for a sleeper, or for nobody. The daemon hears of the first packet for an
 * address, wakes the machine, sets its route and has the packets written back. This process outlives the daemon.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "control.h"
#include "options.h"
#include "privileges.h"
#include "sleepers.h"
#include "tun.h"

/* More than the device's queue of 500 holds: afterwards everything has been read that was sent before. */
enum { MOST_AT_ONCE = 1024 };

static int tun;

static bool handle(const struct command *command, char *answer, size_t size);
static void greet(void);
static void report(const uint8_t *frame, size_t length);
static void drain(void);
static void write_back(const uint8_t *frame, size_t length);
static int64_t now_ms(void);

int main(int count, char **arguments) {
  struct options options = options_read(arguments + (count > 0));
  signal(SIGPIPE, SIG_IGN);
  sleepers_open(options.pool, options.pool_length);
  /* The device first: one process can have it, so the socket's path is ours as well. */
  tun = tun_open(options.device);
  control_open(options.socket);
  privileges_drop();
  for (;;) {
    struct pollfd fds[1 + CONTROL_FDS] = {{.fd = tun, .events = POLLIN}};
    control_poll_fds(fds + 1);
    int left_ms = sleepers_expire(now_ms());
    struct timespec wait = {.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000L};
    if (ppoll(fds, 1 + CONTROL_FDS, left_ms < 0 ? NULL : &wait, NULL) < 0) continue;
    if (fds[0].revents != 0) drain();
    control_serve(fds + 1, handle, greet);
  }
}

static bool handle(const struct command *command, char *answer, size_t size) {
  bool good = true;
  struct figures f;
  switch (command->verb) {
    case VERB_SLEEP: good = sleepers_sleep(command->address); break;
    case VERB_WAKE:
      /* What was sent before the route changed comes before what we hold no longer. */
      drain();
      good = sleepers_wake(command->address, now_ms(), write_back);
      break;
    case VERB_MARK: sleepers_mark(); break;
    case VERB_SWEEP:
      drain();
      sleepers_sweep(now_ms(), write_back);
      break;
    case VERB_STATS:
      f = sleepers_figures();
      snprintf(answer, size, "stats %llu %llu %llu %llu %llu\n", (unsigned long long)f.held, (unsigned long long)f.dropped,
               (unsigned long long)f.expired, (unsigned long long)f.reported, (unsigned long long)f.released);
      return true;
    case VERB_END: exit(0);
  }
  snprintf(answer, size, good ? "ok\n" : "no\n");
  return true;
}

static void greet(void) { sleepers_each_waiting(report); }

static void report(const uint8_t *frame, size_t length) {
  struct packet p;
  char line[80];
  if (!packet_read(frame, length, &p)) return;
  snprintf(line, sizeof line, "packet %u.%u.%u.%u %s %u.%u.%u.%u\n", p.destination >> 24, p.destination >> 16 & 255,
           p.destination >> 8 & 255, p.destination & 255, origin_name(p.origin), p.source >> 24, p.source >> 16 & 255,
           p.source >> 8 & 255, p.source & 255);
  control_tell(line);
}

static void drain(void) {
  static uint8_t frame[65536 + VNET_HEADER];
  for (int i = 0; i < MOST_AT_ONCE; i++) {
    int length = tun_read(tun, frame, sizeof frame);
    if (length == 0) return;
    if (length < 0) {
      fprintf(stderr, "waker: the device is gone\n");
      exit(1);
    }
    switch (sleepers_take(frame, (size_t)length, now_ms())) {
      case FATE_FIRST: report(frame, (size_t)length); break;
      case FATE_BACK: write_back(frame, (size_t)length); break;
      case FATE_HELD:
      case FATE_DROPPED: break;
    }
  }
}

static void write_back(const uint8_t *frame, size_t length) { tun_write(tun, frame, length); }

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
