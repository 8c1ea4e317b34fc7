/* One thread, one epoll. All sources are edge-triggered: a source remembers that it is ready until it meets EAGAIN. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct source {
  int fd;
  void (*ready)(struct source *source, uint32_t events);
  void *owner;
};

struct timer {
  int64_t at_us; /* 0: off */
  void (*fire)(void);
  bool listed;
  struct timer *next;
};

void loop_open(void);
/* Watches for both directions; edge-triggered. */
bool loop_watch(struct source *source);
/* Also closes the descriptor; harmless twice. No event of this round reaches it any more. */
void loop_close(struct source *source);
void loop_timer(struct timer *timer, int64_t after_us);
void loop_timer_off(struct timer *timer);
/* Runs for ever. `after_round` returns true if it left work that needs no event. */
void loop_run(bool (*after_round)(void)) __attribute__((noreturn));
