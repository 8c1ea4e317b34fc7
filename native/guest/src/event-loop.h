/* One thread, one epoll. All sources are edge-triggered: a source remembers that it is ready until it meets EAGAIN. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct source {
  int fd;
  void (*ready)(struct source *source, uint32_t events);
  void *owner;
  int64_t rests_until_us; /* 0: it does not rest */
  struct source *next_resting;
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
/* Of a descriptor that is read through another one, too. */
bool loop_watch_writable(struct source *source);
/* No event of it for a moment but that of its end; from then on those of what can be read. */
void loop_rest(struct source *source, int64_t us);
/* Also closes the descriptor; harmless twice. No event of this round reaches it any more. */
void loop_close(struct source *source);
void loop_timer(struct timer *timer, int64_t after_us);
void loop_timer_off(struct timer *timer);
/* Runs for ever. `after_round` returns true if it left work that needs no event. */
void loop_run(bool (*after_round)(void)) __attribute__((noreturn));
