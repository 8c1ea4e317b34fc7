/* Events that the host has not acknowledged, sent again in each session; and the program's log, which they wait for. */
#pragma once
#include "bytes.h"
#include "wire.h"

/* `fields` are copied. The event is sent after the log bytes that exist now. */
void events_add(enum event_kind kind, const struct bytes *fields);
/* In place of earlier ones of the kind: only the newest says how things are. */
void events_replace(enum event_kind kind, const struct bytes *fields);
void events_forget(enum event_kind kind);
void events_ack(uint64_t sequence);
bool events_all_sent(void);

/* Room for the program's output: bounded by what the host is behind, unbounded (dropping the oldest) without a host. */
size_t log_room(void);
void log_add(enum log_stream stream, const uint8_t *data, size_t length);
void log_ack(uint64_t offset);

/* A host that comes has all of the log before the offset. With LOG_ANEW what was before is nobody's, and offsets begin at 0. */
void events_rewind(uint64_t log_offset);
bool events_fill(void);
