#include "event-loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"

enum { BATCH = 32 };

static int epoll_fd = -1;
static struct timer *timers;
static struct source *resting;
static struct epoll_event batch[BATCH];
static int batch_length;

static bool control(int operation, struct source *source, uint32_t events);
static void end_rests(void);
static int next_timeout_ms(void);
static void fire_timers(void);

void loop_open(void) {
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) abort();
}

bool loop_watch(struct source *source) { return control(EPOLL_CTL_ADD, source, EPOLLIN | EPOLLOUT); }

bool loop_watch_writable(struct source *source) { return control(EPOLL_CTL_ADD, source, EPOLLOUT); }

static bool control(int operation, struct source *source, uint32_t events) {
  struct epoll_event event = {.events = events | EPOLLET, .data.ptr = source};
  return epoll_ctl(epoll_fd, operation, source->fd, &event) == 0;
}

void loop_rest(struct source *source, int64_t us) {
  if (source->rests_until_us || !control(EPOLL_CTL_MOD, source, 0)) return;
  source->rests_until_us = monotonic_us() + us;
  source->next_resting = resting;
  resting = source;
}

static void end_rests(void) {
  for (struct source **at = &resting; *at;) {
    struct source *source = *at;
    if (source->rests_until_us > monotonic_us()) {
      at = &source->next_resting;
      continue;
    }
    *at = source->next_resting;
    source->rests_until_us = 0;
    control(EPOLL_CTL_MOD, source, EPOLLIN);
  }
}

void loop_close(struct source *source) {
  if (source->fd < 0) return;
  epoll_ctl(epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
  close(source->fd);
  source->fd = -1;
  for (struct source **at = &resting; source->rests_until_us && *at; at = &(*at)->next_resting) {
    if (*at != source) continue;
    *at = source->next_resting;
    break;
  }
  source->rests_until_us = 0;
  for (int i = 0; i < batch_length; i++)
    if (batch[i].data.ptr == source) batch[i].data.ptr = NULL;
}

void loop_timer(struct timer *timer, int64_t after_us) {
  timer->at_us = monotonic_us() + after_us;
  if (timer->listed) return;
  timer->listed = true;
  timer->next = timers;
  timers = timer;
}

void loop_timer_off(struct timer *timer) { timer->at_us = 0; }

void loop_run(bool (*after_round)(void)) {
  bool more = after_round();
  for (;;) {
    batch_length = epoll_wait(epoll_fd, batch, BATCH, more ? 0 : next_timeout_ms());
    for (int i = 0; i < batch_length; i++) {
      struct source *source = batch[i].data.ptr;
      if (source) source->ready(source, batch[i].events);
    }
    batch_length = 0;
    fire_timers();
    end_rests();
    more = after_round();
  }
}

static int next_timeout_ms(void) {
  int64_t first = 0;
  for (struct timer *t = timers; t; t = t->next)
    if (t->at_us && (!first || t->at_us < first)) first = t->at_us;
  for (struct source *s = resting; s; s = s->next_resting)
    if (!first || s->rests_until_us < first) first = s->rests_until_us;
  if (!first) return -1;
  int64_t left = first - monotonic_us();
  if (left <= 0) return 0;
  return left > 3600000000 ? 3600000 : (int)((left + 999) / 1000);
}

static void fire_timers(void) {
  for (struct timer *t = timers; t; t = t->next) {
    if (!t->at_us || t->at_us > monotonic_us()) continue;
    t->at_us = 0;
    t->fire();
  }
}
