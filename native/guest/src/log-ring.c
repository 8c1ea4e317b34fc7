#include "log-ring.h"

#include <string.h>

/* Output written within this time of a run's first byte may join it: bounds the number of runs, not the time's error. */
enum { JOIN_MS = 20 };

static struct log_run *run_at(struct log_ring *ring, size_t index);
static void drop_before(struct log_ring *ring, uint64_t offset);

size_t log_ring_room(const struct log_ring *ring) {
  if (ring->runs >= LOG_RING_RUNS) return 0;
  return LOG_RING_BYTES - (size_t)(ring->end - ring->start);
}

void log_ring_add(struct log_ring *ring, uint8_t stream, uint64_t time_ms, const uint8_t *data, size_t length) {
  if (length == 0 || length > LOG_RING_BYTES) return;
  uint64_t used = ring->end - ring->start + length;
  if (used > LOG_RING_BYTES) drop_before(ring, ring->start + (used - LOG_RING_BYTES));
  struct log_run *last = ring->runs ? run_at(ring, ring->runs - 1) : NULL;
  bool joins = last && last->stream == stream && time_ms - last->time_ms <= JOIN_MS;
  if (!joins && ring->runs == LOG_RING_RUNS) drop_before(ring, run_at(ring, 0)->offset + run_at(ring, 0)->length);
  size_t at = (size_t)(ring->end % LOG_RING_BYTES);
  size_t front = LOG_RING_BYTES - at < length ? LOG_RING_BYTES - at : length;
  memcpy(ring->data + at, data, front);
  memcpy(ring->data, data + front, length - front);
  if (joins)
    last->length += (uint32_t)length;
  else
    *run_at(ring, ring->runs++) = (struct log_run){ring->end, time_ms, (uint32_t)length, stream};
  ring->end += length;
}

void log_ring_ack(struct log_ring *ring, uint64_t offset) {
  if (offset > ring->sent) offset = ring->sent;
  if (ring->told_lost < offset) ring->told_lost = offset;
  drop_before(ring, offset);
}

void log_ring_rewind(struct log_ring *ring, uint64_t offset) {
  if (offset > ring->end) offset = ring->end;
  drop_before(ring, offset);
  ring->told_lost = offset;
  ring->sent = ring->start;
}

void log_ring_restart(struct log_ring *ring) {
  ring->start = ring->end = ring->sent = ring->told_lost = 0;
  ring->first_run = ring->runs = 0;
}

bool log_ring_next(struct log_ring *ring, size_t most, struct log_piece *piece) {
  if (ring->told_lost < ring->start) {
    *piece = (struct log_piece){.offset = ring->told_lost, .length = ring->start - ring->told_lost};
    ring->told_lost = ring->start;
    return true;
  }
  if (ring->sent >= ring->end) return false;
  size_t low = 0, high = ring->runs - 1;
  while (low < high) {
    size_t middle = (low + high) / 2;
    const struct log_run *candidate = run_at(ring, middle);
    if (candidate->offset + candidate->length <= ring->sent)
      low = middle + 1;
    else
      high = middle;
  }
  const struct log_run *run = run_at(ring, low);
  size_t at = (size_t)(ring->sent % LOG_RING_BYTES);
  uint64_t length = run->offset + run->length - ring->sent;
  if (length > most) length = most;
  if (length > LOG_RING_BYTES - at) length = LOG_RING_BYTES - at;
  *piece = (struct log_piece){ring->sent, run->time_ms, run->stream, ring->data + at, length};
  ring->sent += length;
  return true;
}

static struct log_run *run_at(struct log_ring *ring, size_t index) {
  return &ring->run[(ring->first_run + index) % LOG_RING_RUNS];
}

static void drop_before(struct log_ring *ring, uint64_t offset) {
  if (offset <= ring->start) return;
  while (ring->runs > 0) {
    struct log_run *run = run_at(ring, 0);
    if (run->offset >= offset) break;
    uint64_t gone = offset - run->offset;
    if (gone < run->length) {
      run->offset += gone;
      run->length -= (uint32_t)gone;
      break;
    }
    ring->first_run = (ring->first_run + 1) % LOG_RING_RUNS;
    ring->runs--;
  }
  ring->start = offset;
  if (ring->sent < offset) ring->sent = offset;
}
