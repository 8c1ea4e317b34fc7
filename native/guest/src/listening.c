#include "listening.h"

#include <stdlib.h>

#include "clock.h"
#include "event-loop.h"
#include "events.h"
#include "fields.h"
#include "paths.h"
#include "platform.h"
#include "ports.h"

enum { FIRST_US = 8000, LONGEST_US = 1000000, RARELY_US = 10000000, TABLE_BYTES = 64 << 10 };
/* A program that listens on nothing for this long hardly ever will: then look rarely. */
static const int64_t patience_us = 120000000;

static int64_t since_us, wait_us;

static void look(void);
static struct timer timer = {.fire = look};

void listening_watch(int64_t configured_at_us) {
  since_us = configured_at_us;
  wait_us = FIRST_US;
  loop_timer(&timer, wait_us);
}

void listening_off(void) { loop_timer_off(&timer); }

static void look(void) {
  static char table[TABLE_BYTES];
  int port = 0;
  if (read_text(platform_proc(), "net/tcp", table, sizeof table) > 0) port = first_listening_port(table);
  if (!port && read_text(platform_proc(), "net/tcp6", table, sizeof table) > 0) port = first_listening_port(table);
  int64_t us = monotonic_us() - since_us;
  if (port) {
    struct bytes fields = {0};
    field_put_u32(&fields, KEY_PORT, (uint32_t)port);
    field_put_u64(&fields, KEY_US, (uint64_t)us);
    events_add(EVENT_LISTENING, &fields);
    bytes_free(&fields);
    return;
  }
  wait_us += wait_us / 4;
  if (wait_us > LONGEST_US) wait_us = us > patience_us ? RARELY_US : LONGEST_US;
  loop_timer(&timer, wait_us);
}
