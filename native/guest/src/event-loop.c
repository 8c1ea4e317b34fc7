#include "event-loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"

enum { BATCH = 32 };

static int epoll_fd = -1;
static struct timer *timers;
static struct epoll_event batch[BATCH];
static int batch_length;

static int next_timeout_ms(void);
static void fire_timers(void);

void loop_open(void) {
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) abort();
}

bool loop_watch(struct source *source) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = source};
  return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, source->fd, &event) == 0;
}

void loop_close(struct source *source) {
  if (source->fd < 0) return;
  epoll_ctl(epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
  close(source->fd);
  source->fd = -1;
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
    more = after_round();
  }
}

static int next_timeout_ms(void) {
  int64_t first = 0;
  for (struct timer *t = timers; t; t = t->next)
    if (t->at_us && (!first || t->at_us < first)) first = t->at_us;
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
