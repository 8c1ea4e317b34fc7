#include "command.h"

#include <string.h>

#include "check.h"
#include "lines.h"

static struct command c;

static bool reads(const char *line) { return command_read(line, strlen(line), &c); }

static void reads_every_verb(void) {
  CHECK(reads("sleep 10.200.0.1") && c.verb == VERB_SLEEP && c.address == 0x0ac80001);
  CHECK(reads("wake 255.255.255.255") && c.verb == VERB_WAKE && c.address == 0xffffffff);
  CHECK(reads("mark") && c.verb == VERB_MARK);
  CHECK(reads("sweep") && c.verb == VERB_SWEEP);
  CHECK(reads("stats") && c.verb == VERB_STATS);
  CHECK(reads("end") && c.verb == VERB_END);
}

static void refuses_all_else(void) {
  static const char *const wrong[] = {"",        "sleep",          "sleep ",         "sleep 10.0.0",    "sleep 10.0.0.256",
                                      "slee",    "sleep 10.0.0.1 ", "sleep  10.0.0.1", "wake 010.0.0.1", "wake 1..2.3",
                                      "marked",  "mark 10.0.0.1",  "END",            "wake 1.2.3.4.5",  "wake 1.2.3.0004",
                                      "wake -1.2.3.4"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) CHECK(!reads(wrong[i]));
}

static char seen[256];

static bool note(void *context, const char *line, size_t length) {
  (void)context;
  strncat(seen, line, length);
  strcat(seen, "|");
  return length != 4 || memcmp(line, "stop", 4) != 0;
}

static bool add(struct lines *lines, const char *text) { return lines_add(lines, text, strlen(text), note, NULL); }

static void lines_come_whole_however_they_are_cut(void) {
  struct lines lines = {0};
  CHECK(add(&lines, "ma") && add(&lines, "rk\n\nswe") && add(&lines, "ep\nx"));
  CHECK(strcmp(seen, "mark||sweep|") == 0);
  CHECK(!add(&lines, "\nstop\nmore\n"));
  CHECK(strcmp(seen, "mark||sweep|x|stop|") == 0);
}

static void a_line_without_end_is_refused(void) {
  struct lines lines = {0};
  for (int i = 0; i < LONGEST_COMMAND; i++) CHECK(add(&lines, "x"));
  CHECK(!add(&lines, "x"));
}

int main(void) {
  reads_every_verb();
  refuses_all_else();
  lines_come_whole_however_they_are_cut();
  a_line_without_end_is_refused();
  return 0;
}
