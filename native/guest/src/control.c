#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "channel.h"
#include "clone-signal.h"
#include "clock.h"
#include "event-loop.h"
#include "events.h"
#include "fields.h"
#include "instance-file.h"
#include "notices.h"
#include "oom.h"
#include "platform.h"
#include "program.h"
#include "requests.h"
#include "stats.h"
#include "streams.h"

/* How long the last output may take to reach the host, and the host to hear the goodbye. */
enum { FLUSH_US = 3000000, GOODBYE_US = 2000000 };

static enum agent_state state;
static enum { LEAVE_NOT, LEAVE_FLUSHING, LEAVE_SAID_GOODBYE, LEAVE_NOW } leaving;
static bool out_of_patience;
static struct configuration configuration;
static int stop_request = -1;

static void configure(uint16_t id, const uint8_t *payload, size_t length);
static void become(uint16_t id, const uint8_t *payload, size_t length);
static void tell_programs(enum becoming_kind kind);
static void refresh(uint16_t id, const uint8_t *payload, size_t length);
static void send_signal(uint16_t id, const uint8_t *payload, size_t length);
static void stop(uint16_t id, const uint8_t *payload, size_t length);
static void stopped(void);
static void send_stats(uint16_t id);
static void notify(uint16_t id, const uint8_t *payload, size_t length);
static void power_off(uint16_t id);
static void patience_over(void);
static void reply(uint16_t id, const char *reason);
static bool number_field(const uint8_t *payload, size_t length, uint8_t key, uint32_t *value);
static struct timer patience = {.fire = patience_over};

enum agent_state control_state(void) { return state; }

const struct configuration *control_configuration(void) { return &configuration; }

void control_request(uint16_t id, uint8_t type, const uint8_t *payload, size_t length) {
  switch (type) {
    case TYPE_CONFIGURE: return configure(id, payload, length);
    case TYPE_BECOME: return become(id, payload, length);
    case TYPE_ANSWER_TEMPLATE:
    case TYPE_ANSWER_FORK:
    case TYPE_CHILD_CHANGED: return reply(id, answer_message(type, payload, length));
    case TYPE_REFRESH: return refresh(id, payload, length);
    case TYPE_SIGNAL: return send_signal(id, payload, length);
    case TYPE_STOP: return stop(id, payload, length);
    case TYPE_STATS: return send_stats(id);
    case TYPE_NOTIFY: return notify(id, payload, length);
    case TYPE_POWER_OFF: return power_off(id);
    default: return reply(id, "unknown request");
  }
}

void control_forget_requests(void) { stop_request = -1; }

static void configure(uint16_t id, const uint8_t *payload, size_t length) {
  int64_t now = monotonic_us();
  const char *reason = "is configured already";
  if (state != STATE_WAITING) return reply(id, reason);
  struct configuration wanted = {0};
  if (!parse_configuration(payload, length, &wanted, &reason)) {
    configuration_free(&wanted);
    return reply(id, reason);
  }
  configuration = wanted;
  state = STATE_CONFIGURED;
  platform_set_moment(&configuration.moment);
  instance_file_set(&configuration.self);
  if (!platform_configure(&configuration, &reason)) return reply(id, reason);
  oom_watch();
  if (!configuration.maintenance) program_start(&configuration, now);
  reply(id, NULL);
}

/* Until all of it holds the machine is still who it was, so that a host may try again. */
static void become(uint16_t id, const uint8_t *payload, size_t length) {
  const char *reason = "is not configured, or about to end";
  struct becoming wanted = {0};
  if (state != STATE_CONFIGURED) return reply(id, reason);
  bool ok = parse_becoming(payload, length, &wanted, &reason);
  /* Entropy first: whatever is drawn from here on is this machine's own. */
  if (ok) platform_set_moment(&wanted.moment);
  if (!ok || !platform_become(&configuration.self, &wanted, &reason)) {
    self_free(&wanted.self);
    return reply(id, reason);
  }
  self_free(&configuration.self);
  configuration.self = wanted.self;
  instance_file_set(&configuration.self);
  requests_become(wanted.kind);
  tell_programs(wanted.kind);
  reply(id, NULL);
}

static void tell_programs(enum becoming_kind kind) {
  char line[NOTICE_MAX + 1];
  const char *what = kind == BECOME_REWIND ? "rewound" : "cloned";
  int length = snprintf(line, sizeof line, "%s %s", what, configuration.self.instance_id);
  notices_add(line, (size_t)length);
  if (clone_signal()) program_signal_group(clone_signal());
}

static void refresh(uint16_t id, const uint8_t *payload, size_t length) {
  struct refreshment wanted = {0};
  const char *reason = NULL;
  if (parse_refreshment(payload, length, &wanted, &reason)) {
    platform_set_moment(&wanted.moment);
    if (state != STATE_CONFIGURED || platform_set_roms(&wanted.roms, &reason)) reason = NULL;
  }
  roms_free(&wanted.roms);
  reply(id, reason);
}

static void send_signal(uint16_t id, const uint8_t *payload, size_t length) {
  uint32_t number;
  if (!number_field(payload, length, KEY_SIGNAL, &number)) return reply(id, "signal without a number");
  reply(id, program_signal((int)number) ? NULL : "no program is running, or it knows no such signal");
}

static void stop(uint16_t id, const uint8_t *payload, size_t length) {
  uint32_t grace_ms;
  if (!number_field(payload, length, KEY_GRACE_MS, &grace_ms)) return reply(id, "stop without a grace");
  if (stop_request >= 0) reply((uint16_t)stop_request, NULL);
  stop_request = id;
  program_stop(grace_ms, stopped);
}

static void stopped(void) {
  if (stop_request >= 0) reply((uint16_t)stop_request, NULL);
  stop_request = -1;
}

static void send_stats(uint16_t id) {
  struct bytes fields = {0};
  field_put_u32(&fields, KEY_CODE, 0);
  stats_put(&fields);
  channel_send(id, TYPE_REPLY, 0, fields.data, fields.length);
  bytes_free(&fields);
}

static void notify(uint16_t id, const uint8_t *payload, size_t length) {
  struct field_reader reader = {payload, length};
  struct field field;
  const char *reason = "a notice is one line of at most 1024 bytes";
  if (field_next(&reader, &field) == 1 && field.key == KEY_TEXT && field.length <= NOTICE_MAX &&
      !memchr(field.data, '\n', field.length)) {
    notices_add((const char *)field.data, field.length);
    reason = NULL;
  }
  reply(id, reason);
}

static void power_off(uint16_t id) {
  reply(id, NULL);
  if (leaving != LEAVE_NOT) return;
  state = STATE_POWERING_OFF;
  leaving = LEAVE_FLUSHING;
  streams_close_all();
  program_kill_all();
  loop_timer(&patience, FLUSH_US);
}

/* First the program's end and last output go out, then the disk is in order, then the host may hear that it is so. */
void control_advance(void) {
  bool flushed = program_settled() && (events_all_sent() || !channel_synced());
  if (leaving == LEAVE_FLUSHING && (flushed || out_of_patience)) {
    platform_sync();
    leaving = channel_synced() ? LEAVE_SAID_GOODBYE : LEAVE_NOW;
    channel_send(0, TYPE_GOODBYE, 0, NULL, 0);
    loop_timer(&patience, GOODBYE_US);
  }
  if (leaving == LEAVE_SAID_GOODBYE && !channel_synced()) leaving = LEAVE_NOW;
  if (leaving == LEAVE_NOW) platform_reset();
}

void control_goodbye_heard(void) {
  if (leaving == LEAVE_SAID_GOODBYE) leaving = LEAVE_NOW;
}

static void patience_over(void) {
  out_of_patience = true;
  if (leaving == LEAVE_SAID_GOODBYE) leaving = LEAVE_NOW;
}

static void reply(uint16_t id, const char *reason) {
  struct bytes fields = {0};
  field_put_u32(&fields, KEY_CODE, reason ? 1 : 0);
  if (reason) field_put_text(&fields, KEY_REASON, reason);
  channel_send(id, TYPE_REPLY, 0, fields.data, fields.length);
  bytes_free(&fields);
}

static bool number_field(const uint8_t *payload, size_t length, uint8_t key, uint32_t *value) {
  struct field_reader reader = {payload, length};
  struct field field;
  while (field_next(&reader, &field) == 1)
    if (field.key == key) return field_u32(&field, value);
  return false;
}
