#include "sleepers.h"

#include <string.h>

#include "check.h"

enum { POOL = 0x0ac80000, LENGTH = VNET_HEADER + 28, TCP = 6, ICMP = 1 };

static uint8_t frame[LENGTH];

/* `tag` is found again in the first byte after the header, which makes ICMP with tag 8 an echo request. */
static enum fate send_as(uint8_t protocol, uint32_t to, uint8_t tag, int64_t now) {
  static const uint8_t ip[] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 0, 0, 0, 192, 0, 2, 1, 10, 200};
  memset(frame, 0, sizeof frame);
  memcpy(frame + VNET_HEADER, ip, sizeof ip);
  frame[VNET_HEADER + 9] = protocol;
  frame[VNET_HEADER + 18] = (uint8_t)(to >> 8);
  frame[VNET_HEADER + 19] = (uint8_t)to;
  frame[VNET_HEADER + 20] = tag;
  return sleepers_take(frame, sizeof frame, now);
}

static enum fate send(uint32_t to, uint8_t tag, int64_t now) { return send_as(TCP, POOL + to, tag, now); }

static char out[4096];

static void note(const uint8_t *bytes, size_t length) {
  CHECK(length == LENGTH);
  size_t end = strlen(out);
  out[end] = (char)bytes[VNET_HEADER + 20];
  out[end + 1] = 0;
}

static uint64_t counted;

static void count(const uint8_t *bytes, size_t length) {
  CHECK(bytes != NULL && length == LENGTH);
  counted++;
}

static const char *woken(uint32_t address, int64_t now) {
  out[0] = 0;
  CHECK(sleepers_wake(POOL + address, now, note));
  return out;
}

static void start(void) { sleepers_open(POOL + 77, 16); }

static void holds_and_gives_back_in_order(void) {
  start();
  CHECK(send(1, 'x', 0) == FATE_DROPPED);
  CHECK(sleepers_sleep(POOL + 1) && sleepers_sleep(POOL + 2));
  CHECK(send(1, 'a', 0) == FATE_FIRST && send(2, 'b', 0) == FATE_FIRST);
  CHECK(send(1, 'c', 0) == FATE_HELD && send(1, 'd', 0) == FATE_HELD);
  CHECK(sleepers_sleep(POOL + 1));
  CHECK(strcmp(woken(1, 0), "acd") == 0 && strcmp(woken(2, 0), "b") == 0 && strcmp(woken(2, 0), "") == 0);
  CHECK(sleepers_figures().held == 0 && sleepers_figures().released == 4 && sleepers_figures().reported == 2);
}

static void a_belated_packet_goes_straight_back(void) {
  start();
  sleepers_sleep(POOL + 1);
  woken(1, 1000);
  CHECK(send(1, 'a', 1000 + BELATED_MS) == FATE_BACK);
  CHECK(send(1, 'b', 1001 + BELATED_MS) == FATE_DROPPED);
  sleepers_sleep(POOL + 1);
  CHECK(send(1, 'c', 1002) == FATE_FIRST);
}

static void knows_the_edges_of_the_pool(void) {
  start();
  CHECK(sleepers_sleep(POOL) && sleepers_sleep(POOL + 65535));
  CHECK(!sleepers_sleep(POOL - 1) && !sleepers_sleep(POOL + 65536) && !sleepers_wake(0, 0, note));
  CHECK(send(0, 'a', 0) == FATE_FIRST && send(65535, 'b', 0) == FATE_FIRST);
  CHECK(strcmp(woken(65535, 0), "b") == 0);
  frame[VNET_HEADER + 16] = 11;
  CHECK(sleepers_take(frame, sizeof frame, 0) == FATE_DROPPED);
}

static void reports_again_after_a_while(void) {
  start();
  sleepers_sleep(POOL + 1);
  CHECK(send(1, 'a', 0) == FATE_FIRST && send(1, 'b', AGAIN_MS - 1) == FATE_HELD);
  CHECK(send_as(ICMP, POOL + 1, 8, AGAIN_MS) == FATE_HELD);
  CHECK(send(1, 'c', AGAIN_MS) == FATE_FIRST && send(1, 'd', AGAIN_MS + 1) == FATE_HELD);
  CHECK(send(1, 'e', 2 * AGAIN_MS) == FATE_FIRST);
}

static void drops_what_is_too_old_and_then_reports_again(void) {
  start();
  CHECK(sleepers_expire(0) == -1);
  sleepers_sleep(POOL + 1);
  send(1, 'a', 100);
  send(1, 'b', 200);
  CHECK(sleepers_expire(100) == HOLD_MS && sleepers_expire(99 + HOLD_MS) == 1);
  CHECK(sleepers_expire(100 + HOLD_MS) == 100 && send(1, 'c', 100 + HOLD_MS) == FATE_FIRST);
  CHECK(sleepers_expire(100 + HOLD_MS + HOLD_MS) == -1 && sleepers_figures().expired == 3);
  CHECK(send(1, 'd', 200 + HOLD_MS) == FATE_FIRST && strcmp(woken(1, 0), "d") == 0);
}

static void pings_wake_seldom_and_answers_never(void) {
  start();
  sleepers_sleep(POOL + 1);
  CHECK(send_as(ICMP, POOL + 1, 3, 0) == FATE_DROPPED);
  CHECK(send_as(ICMP, POOL + 1, 8, 0) == FATE_FIRST && send_as(ICMP, POOL + 1, 8, 1) == FATE_HELD);
  CHECK(send_as(ICMP, POOL + 1, 3, 2) == FATE_HELD);
  woken(1, 3);
  sleepers_sleep(POOL + 1);
  CHECK(send_as(ICMP, POOL + 1, 8, PING_MS - 1) == FATE_DROPPED);
  CHECK(send(1, 'a', PING_MS - 1) == FATE_FIRST);
  woken(1, PING_MS - 1);
  sleepers_sleep(POOL + 1);
  CHECK(send_as(ICMP, POOL + 1, 8, PING_MS) == FATE_FIRST);
}

static void one_address_is_bounded(void) {
  start();
  sleepers_sleep(POOL + 1);
  for (int i = 0; i < 1000; i++) CHECK((send(1, 'a', 0) != FATE_DROPPED) == (i < MOST_PER_ADDRESS));
  CHECK(sleepers_figures().held == MOST_PER_ADDRESS && strlen(woken(1, 0)) == MOST_PER_ADDRESS);
}

static void floods_make_room_for_the_others(void) {
  start();
  for (uint32_t a = 1; a <= 100; a++) sleepers_sleep(POOL + a);
  for (uint32_t a = 1; a <= 90; a++)
    for (int i = 0; i < MOST_PER_ADDRESS; i++) send(a, 'a', 0);
  CHECK(sleepers_figures().held == MOST_FRAMES);
  for (uint32_t a = 91; a <= 100; a++) CHECK(send(a, 'b', 0) == FATE_FIRST && send(a, 'c', 0) == FATE_HELD);
  CHECK(sleepers_figures().held == MOST_FRAMES);
  for (uint32_t a = 91; a <= 100; a++) CHECK(strcmp(woken(a, 0), "bc") == 0);
  for (uint32_t a = 1; a <= 90; a++) CHECK(strlen(woken(a, 0)) > 0);
  CHECK(sleepers_figures().held == 0);
}

static void sweeping_wakes_who_was_not_named(void) {
  start();
  for (uint32_t a = 60; a < 70; a++) sleepers_sleep(POOL + a), send(a, 'a', 0);
  sleepers_mark();
  sleepers_sleep(POOL + 63);
  sleepers_sleep(POOL + 64);
  counted = 0;
  sleepers_sweep(0, count);
  CHECK(counted == 8 && sleepers_figures().held == 2);
  counted = 0;
  sleepers_each_waiting(count);
  CHECK(counted == 2 && strcmp(woken(63, 0), "a") == 0);
}

int main(void) {
  holds_and_gives_back_in_order();
  a_belated_packet_goes_straight_back();
  knows_the_edges_of_the_pool();
  reports_again_after_a_while();
  drops_what_is_too_old_and_then_reports_again();
  pings_wake_seldom_and_answers_never();
  one_address_is_bounded();
  floods_make_room_for_the_others();
  sweeping_wakes_who_was_not_named();
  return 0;
}
