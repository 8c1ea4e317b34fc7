#include <string.h>

#include "check.h"
#include "log-ring.h"

static struct log_ring ring;

/* Byte n of the log is a function of n: what is read back can be checked wherever it starts. */
static uint8_t byte_at(uint64_t offset) { return (uint8_t)(offset * 31 + offset / 256); }

static void add(uint8_t stream, uint64_t time, size_t length) {
  static uint8_t data[LOG_RING_BYTES];
  for (size_t i = 0; i < length; i++) data[i] = byte_at(ring.end + i);
  log_ring_add(&ring, stream, time, data, length);
}

static void check_piece(const struct log_piece *piece) {
  for (uint64_t i = 0; piece->data && i < piece->length; i++) CHECK(piece->data[i] == byte_at(piece->offset + i));
}

static void streams_and_times_are_kept_apart(void) {
  struct log_piece piece;
  add(1, 1000, 10);
  add(1, 1005, 10);
  add(2, 1005, 5);
  add(2, 9000, 5);
  CHECK(log_ring_next(&ring, 100, &piece) && piece.stream == 1 && piece.length == 20 && piece.time_ms == 1000);
  CHECK(log_ring_next(&ring, 3, &piece) && piece.stream == 2 && piece.length == 3 && piece.offset == 20);
  CHECK(log_ring_next(&ring, 100, &piece) && piece.length == 2 && piece.offset == 23);
  CHECK(log_ring_next(&ring, 100, &piece) && piece.time_ms == 9000 && piece.offset == 25);
  CHECK(!log_ring_next(&ring, 100, &piece));
  log_ring_ack(&ring, 25);
  CHECK(ring.start == 25);
  log_ring_ack(&ring, 1000);
  CHECK(ring.start == 30 && ring.runs == 0);
}

static void the_oldest_bytes_go_first_and_are_counted(void) {
  struct log_piece piece;
  uint64_t before = ring.end;
  for (int i = 0; i < 9; i++) add(1, 10000 + (uint64_t)i * 1000, LOG_RING_BYTES / 4 - 7);
  CHECK(ring.end - ring.start <= LOG_RING_BYTES);
  log_ring_rewind(&ring, before + 100);
  CHECK(log_ring_next(&ring, 1000, &piece) && !piece.data && piece.offset == before + 100);
  CHECK(piece.offset + piece.length == ring.start);
  uint64_t next = ring.start;
  while (log_ring_next(&ring, 1000, &piece)) {
    CHECK(piece.offset == next);
    check_piece(&piece);
    next += piece.length;
  }
  CHECK(next == ring.end);
}

/* One byte at a time, each at another time: the number of runs is what is short. */
static void many_small_runs_are_bounded(void) {
  for (int i = 0; i < 3 * LOG_RING_RUNS; i++) add((uint8_t)(1 + i % 2), 100000 + (uint64_t)i, 1);
  CHECK(ring.runs <= LOG_RING_RUNS && log_ring_room(&ring) == 0);
  log_ring_rewind(&ring, 0);
  struct log_piece piece;
  uint64_t next = 0;
  while (log_ring_next(&ring, 7, &piece)) {
    CHECK(piece.offset == next);
    check_piece(&piece);
    next += piece.length;
  }
  CHECK(next == ring.end);
}

int main(void) {
  streams_and_times_are_kept_apart();
  the_oldest_bytes_go_first_and_are_counted();
  many_small_runs_are_bounded();
}
