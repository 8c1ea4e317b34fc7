#include "sleepers.h"

#include <string.h>

enum { MOST_ADDRESSES = 65536, NONE = 65536, WORDS = MOST_ADDRESSES / 64 };

/* Frames are in two lists: their address's, and that of all in order of arrival; free ones are chained by `next`. */
struct frame {
  int64_t at_ms;
  uint32_t owner, next, previous, younger, older;
  uint16_t length;
  uint8_t bytes[LONGEST_FRAME];
};

/* `peer_*`: the others who hold as many frames. */
struct sleeper {
  int64_t woken_ms, pinged_ms, reported_ms;
  uint32_t first, last, peer_next, peer_previous;
  uint8_t held;
  bool reported, was_woken, was_pinged;
};

static struct {
  uint32_t base, size;
  uint64_t asleep[WORDS], marked[WORDS];
  struct sleeper sleepers[MOST_ADDRESSES];
  struct frame frames[MOST_FRAMES];
  uint32_t unused, fresh, oldest, youngest;
  /* Heads of the lists of those who hold this many. */
  uint32_t peers[MOST_PER_ADDRESS + 1];
  struct figures figures;
} all;

static uint32_t index_of(uint32_t address);
static bool has(const uint64_t *bits, uint32_t index);
static void set(uint64_t *bits, uint32_t index, bool on);
static void wake(uint32_t index, int64_t now_ms, frame_visitor *out);
static bool make_room(const struct sleeper *asking);
static void append(uint32_t index, const uint8_t *bytes, size_t length, int64_t now_ms);
static void unlink_frame(uint32_t at);
static void count(uint32_t index, int change);

void sleepers_open(uint32_t pool, unsigned length) {
  /* Memory that was never touched takes no room, and is zero. */
  if (all.size != 0) memset(&all, 0, sizeof all);
  all.size = (uint32_t)1 << (32 - length);
  all.base = pool & ~(all.size - 1);
  all.unused = all.oldest = all.youngest = NONE;
  for (int i = 0; i <= MOST_PER_ADDRESS; i++) all.peers[i] = NONE;
}

bool sleepers_sleep(uint32_t address) {
  uint32_t index = index_of(address);
  if (index == NONE) return false;
  set(all.marked, index, true);
  if (has(all.asleep, index)) return true;
  set(all.asleep, index, true);
  struct sleeper *s = &all.sleepers[index];
  s->first = s->last = NONE;
  s->reported = s->was_woken = false;
  return true;
}

bool sleepers_wake(uint32_t address, int64_t now_ms, frame_visitor *out) {
  uint32_t index = index_of(address);
  if (index == NONE) return false;
  if (has(all.asleep, index)) wake(index, now_ms, out);
  return true;
}

void sleepers_mark(void) { memset(all.marked, 0, sizeof all.marked); }

void sleepers_sweep(int64_t now_ms, frame_visitor *out) {
  for (uint32_t word = 0; word < WORDS; word++) {
    uint64_t left = all.asleep[word] & ~all.marked[word];
    for (; left != 0; left &= left - 1) wake(word * 64 + (uint32_t)__builtin_ctzll(left), now_ms, out);
  }
}

enum fate sleepers_take(const uint8_t *bytes, size_t length, int64_t now_ms) {
  struct packet packet;
  uint32_t index = packet_read(bytes, length, &packet) ? index_of(packet.destination) : NONE;
  all.figures.dropped++;
  if (index == NONE || length > LONGEST_FRAME) return FATE_DROPPED;
  struct sleeper *s = &all.sleepers[index];
  if (!has(all.asleep, index)) {
    if (!s->was_woken || now_ms - s->woken_ms > BELATED_MS) return FATE_DROPPED;
    all.figures.dropped--;
    all.figures.released++;
    return FATE_BACK;
  }
  bool first = !s->reported;
  /* Held for so long, its wake may have failed. */
  bool again = s->reported && packet.origin != ORIGIN_ICMP && now_ms - s->reported_ms >= AGAIN_MS;
  if (first && packet.meek) return FATE_DROPPED;
  if (first && packet.origin == ORIGIN_ICMP) {
    if (s->was_pinged && now_ms - s->pinged_ms < PING_MS) return FATE_DROPPED;
    s->was_pinged = true;
    s->pinged_ms = now_ms;
  }
  if (s->held == MOST_PER_ADDRESS || !make_room(s)) return FATE_DROPPED;
  append(index, bytes, length, now_ms);
  all.figures.dropped--;
  if (!first && !again) return FATE_HELD;
  s->reported = true;
  s->reported_ms = now_ms;
  all.figures.reported++;
  return FATE_FIRST;
}

void sleepers_each_waiting(frame_visitor *visit) {
  for (int held = 1; held <= MOST_PER_ADDRESS; held++)
    for (uint32_t i = all.peers[held]; i != NONE; i = all.sleepers[i].peer_next) {
      const struct frame *first = &all.frames[all.sleepers[i].first];
      visit(first->bytes, first->length);
    }
}

int sleepers_expire(int64_t now_ms) {
  while (all.oldest != NONE) {
    int64_t left = all.frames[all.oldest].at_ms + HOLD_MS - now_ms;
    if (left > 0) return (int)left;
    unlink_frame(all.oldest);
    all.figures.expired++;
  }
  return -1;
}

struct figures sleepers_figures(void) { return all.figures; }

static uint32_t index_of(uint32_t address) {
  return address - all.base < all.size ? address - all.base : (uint32_t)NONE;
}

static bool has(const uint64_t *bits, uint32_t index) { return bits[index / 64] >> index % 64 & 1; }

static void set(uint64_t *bits, uint32_t index, bool on) {
  uint64_t bit = (uint64_t)1 << index % 64;
  if (on) bits[index / 64] |= bit;
  else bits[index / 64] &= ~bit;
}

static void wake(uint32_t index, int64_t now_ms, frame_visitor *out) {
  struct sleeper *s = &all.sleepers[index];
  while (s->first != NONE) {
    uint32_t at = s->first;
    out(all.frames[at].bytes, all.frames[at].length);
    all.figures.released++;
    unlink_frame(at);
  }
  set(all.asleep, index, false);
  s->was_woken = true;
  s->woken_ms = now_ms;
}

/* When all is full, whoever holds most gives up its newest: a flood of some addresses leaves room for the others. */
static bool make_room(const struct sleeper *asking) {
  if (all.unused != NONE || all.fresh < MOST_FRAMES) return true;
  int most = MOST_PER_ADDRESS;
  while (all.peers[most] == NONE) most--;
  if (most <= asking->held + 1) return false;
  unlink_frame(all.sleepers[all.peers[most]].last);
  all.figures.dropped++;
  return true;
}

static void append(uint32_t index, const uint8_t *bytes, size_t length, int64_t now_ms) {
  struct sleeper *s = &all.sleepers[index];
  uint32_t at = all.unused;
  /* Untouched memory is not there yet: used last. */
  if (at != NONE) all.unused = all.frames[at].next;
  else at = all.fresh++;
  struct frame *f = &all.frames[at];
  memcpy(f->bytes, bytes, length);
  f->length = (uint16_t)length;
  f->at_ms = now_ms;
  f->owner = index;
  f->previous = s->last;
  f->next = f->younger = NONE;
  f->older = all.youngest;
  if (s->last == NONE) s->first = at;
  else all.frames[s->last].next = at;
  s->last = at;
  if (all.youngest == NONE) all.oldest = at;
  else all.frames[all.youngest].younger = at;
  all.youngest = at;
  count(index, 1);
}

static void unlink_frame(uint32_t at) {
  struct frame *f = &all.frames[at];
  struct sleeper *s = &all.sleepers[f->owner];
  if (f->previous == NONE) s->first = f->next;
  else all.frames[f->previous].next = f->next;
  if (f->next == NONE) s->last = f->previous;
  else all.frames[f->next].previous = f->previous;
  if (f->older == NONE) all.oldest = f->younger;
  else all.frames[f->older].younger = f->younger;
  if (f->younger == NONE) all.youngest = f->older;
  else all.frames[f->younger].older = f->older;
  count(f->owner, -1);
  /* With nothing left the next packet is worth a report again. */
  if (s->held == 0) s->reported = false;
  f->next = all.unused;
  all.unused = at;
}

static void count(uint32_t index, int change) {
  struct sleeper *s = &all.sleepers[index];
  if (s->held > 0) {
    if (s->peer_previous == NONE) all.peers[s->held] = s->peer_next;
    else all.sleepers[s->peer_previous].peer_next = s->peer_next;
    if (s->peer_next != NONE) all.sleepers[s->peer_next].peer_previous = s->peer_previous;
  }
  s->held = (uint8_t)(s->held + change);
  all.figures.held += (uint64_t)(int64_t)change;
  if (s->held == 0) return;
  s->peer_previous = NONE;
  s->peer_next = all.peers[s->held];
  if (s->peer_next != NONE) all.sleepers[s->peer_next].peer_previous = index;
  all.peers[s->held] = index;
}
