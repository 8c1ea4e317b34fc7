/*
 * The program's output that the host has not acknowledged. Offsets count all bytes since boot. `start` is the oldest
 * byte kept, `sent` the next to send, `end` the next to be written.
 */
#pragma once
#include "bytes.h"

enum { LOG_RING_BYTES = 256 << 10, LOG_RING_RUNS = 4096 };

/* Neighbouring bytes of one stream and one moment. */
struct log_run {
  uint64_t offset, time_ms;
  uint32_t length;
  uint8_t stream;
};

struct log_ring {
  uint64_t start, sent, end;
  uint64_t told_lost; /* bytes before this are acknowledged or reported as lost */
  size_t first_run, runs;
  struct log_run run[LOG_RING_RUNS];
  uint8_t data[LOG_RING_BYTES];
};

/* Bytes that can be added without dropping any. */
size_t log_ring_room(const struct log_ring *ring);
/* Adds, dropping the oldest bytes where there is no room. At most LOG_RING_BYTES at once. */
void log_ring_add(struct log_ring *ring, uint8_t stream, uint64_t time_ms, const uint8_t *data, size_t length);
/* The host has everything before `offset`. */
void log_ring_ack(struct log_ring *ring, uint64_t offset);
/* Sends again from the oldest byte that the host may lack; bytes it lacks and that are gone count as lost. */
void log_ring_rewind(struct log_ring *ring, uint64_t offset);
/* Forgets all that was; offsets begin at 0 again. */
void log_ring_restart(struct log_ring *ring);

struct log_piece {
  uint64_t offset, time_ms;
  uint8_t stream;
  const uint8_t *data; /* NULL: `length` bytes from `offset` were lost */
  uint64_t length;
};

/* The next piece to send, of at most `most` bytes; false if all is sent. */
bool log_ring_next(struct log_ring *ring, size_t most, struct log_piece *piece);
