#include "events.h"

#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "clock.h"
#include "fields.h"
#include "log-ring.h"

/* A program that is killed for memory over and over must not fill ours: the oldest but the last few are dropped. */
enum { EVENTS_MAX = 32 };

struct event {
  uint64_t sequence, after_log;
  bool sent;
  enum event_kind kind;
  struct bytes payload;
};

static struct log_ring ring;
static struct event events[EVENTS_MAX];
static size_t count;
static uint64_t last_sequence;

static void remove_event(size_t index);
static bool fill_event(void);
static bool fill_log(void);

void events_add(enum event_kind kind, const struct bytes *fields) {
  if (count == EVENTS_MAX) remove_event(1);
  struct event *event = &events[count++];
  *event = (struct event){.sequence = ++last_sequence, .after_log = ring.end, .kind = kind};
  uint8_t head[9];
  put64(head, event->sequence);
  head[8] = (uint8_t)kind;
  bytes_append(&event->payload, head, sizeof head);
  bytes_append(&event->payload, fields->data, fields->length);
}

void events_replace(enum event_kind kind, const struct bytes *fields) {
  events_forget(kind);
  events_add(kind, fields);
}

void events_forget(enum event_kind kind) {
  for (size_t i = count; i-- > 0;)
    if (events[i].kind == kind) remove_event(i);
}

void events_ack(uint64_t sequence) {
  for (size_t i = 0; i < count; i++)
    if (events[i].sequence == sequence) return remove_event(i);
}

bool events_all_sent(void) {
  for (size_t i = 0; i < count; i++)
    if (!events[i].sent) return false;
  return ring.sent == ring.end;
}

size_t log_room(void) { return channel_synced() ? log_ring_room(&ring) : LOG_RING_BYTES; }

void log_add(enum log_stream stream, const uint8_t *data, size_t length) {
  log_ring_add(&ring, (uint8_t)stream, wall_ms(), data, length);
}

void log_ack(uint64_t offset) { log_ring_ack(&ring, offset); }

void events_rewind(uint64_t log_offset) {
  if (log_offset == LOG_ANEW) log_ring_restart(&ring);
  else log_ring_rewind(&ring, log_offset);
  for (size_t i = 0; i < count; i++) {
    events[i].sent = false;
    if (log_offset == LOG_ANEW) events[i].after_log = 0;
  }
}

bool events_fill(void) { return fill_event() || fill_log(); }

static bool fill_event(void) {
  for (size_t i = 0; i < count; i++) {
    struct event *event = &events[i];
    if (event->sent) continue;
    if (event->after_log > ring.sent) return false;
    event->sent = true;
    channel_fill(0, TYPE_EVENT, 0, event->payload.data, event->payload.length);
    return true;
  }
  return false;
}

static bool fill_log(void) {
  enum { HEAD = 17 };
  static uint8_t payload[FRAME_MAX_OUT];
  struct log_piece piece;
  if (!log_ring_next(&ring, FRAME_MAX_OUT - HEAD, &piece)) return false;
  put64(payload, piece.offset);
  if (!piece.data) {
    put64(payload + 8, piece.length);
    channel_fill(0, TYPE_LOG_LOST, 0, payload, 16);
    return true;
  }
  put64(payload + 8, piece.time_ms);
  payload[16] = piece.stream;
  memcpy(payload + HEAD, piece.data, (size_t)piece.length);
  channel_fill(0, TYPE_LOG, 0, payload, HEAD + (size_t)piece.length);
  return true;
}

static void remove_event(size_t index) {
  bytes_free(&events[index].payload);
  memmove(&events[index], &events[index + 1], (count - index - 1) * sizeof *events);
  count--;
}
