#include "requests.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "event-loop.h"
#include "events.h"
#include "fields.h"
#include "forks.h"
#include "template-request.h"

/* Programs that ask and give up in a loop must not flood the host. */
enum { APART_US = 10000 };

static struct source changes = {.fd = -1};
static bool held;
static int64_t told_at_us;

static void changed(struct source *source, uint32_t events);
static void tell(void);
static struct timer later = {.fire = tell};

void requests_watch(void) {
  changes = (struct source){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = changed};
  if (changes.fd < 0 || !loop_watch(&changes)) abort();
}

void requests_changed(void) {
  static const uint64_t one = 1;
  if (changes.fd >= 0 && write(changes.fd, &one, sizeof one) < 0) return; /* Full: the loop will look anyway. */
}

void requests_repeat(void) {
  template_request_forget_told();
  forks_forget_told();
  tell();
}

void requests_hold(void) {
  held = true;
  events_forget(EVENT_TEMPLATE_REQUESTED);
  events_forget(EVENT_FORK_REQUESTED);
}

void requests_become(enum becoming_kind kind) {
  template_request_become(kind);
  forks_become(kind);
  held = false;
  tell();
}

void requests_tell(enum event_kind kind, uint64_t request, bool waiting) {
  struct bytes fields = {0};
  field_put_u64(&fields, KEY_REQUEST, request);
  field_put_u32(&fields, KEY_COUNT, waiting);
  events_replace(kind, &fields);
  bytes_free(&fields);
}

int errno_of_failure(uint32_t failure) {
  switch (failure) {
    case FAILURE_REFUSED: return EPERM;
    case FAILURE_LIMIT: return EAGAIN;
    case FAILURE_NO_SPACE: return ENOSPC;
    default: return EIO;
  }
}

static void changed(struct source *source, uint32_t events) {
  (void)events;
  uint64_t times;
  if (read(source->fd, &times, sizeof times) < 0) return; /* Only ready to be written: it was before. */
  int64_t since_us = monotonic_us() - told_at_us;
  if (since_us >= APART_US) return tell();
  loop_timer(&later, APART_US - since_us);
}

static void tell(void) {
  if (held) return;
  told_at_us = monotonic_us();
  template_request_tell();
  forks_tell();
}
