/*
 * What the daemon says, a line each, answered by a line each in the same order ("ok", "no", or the figures):
 *
 *   sleep A   hold what comes for this address. Harmless when it sleeps already: what is held stays.
 *   wake A    write back what is held, and hold no more. The route must be there before.
 *   mark      from here to `sweep` …
 *   sweep     … every sleeper has been named; all others are woken.
 *   stats     "stats HELD DROPPED EXPIRED REPORTED RELEASED"
 *   end       the process ends.
 *
 * Unasked comes "packet A KIND SOURCE" (KIND: tcp, udp, icmp, other): the first packet since the address fell asleep;
 * again on every new connection while something is held.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LONGEST_COMMAND = 32 };

enum verb { VERB_SLEEP, VERB_WAKE, VERB_MARK, VERB_SWEEP, VERB_STATS, VERB_END };

struct command {
  enum verb verb;
  uint32_t address;
};

/* A line without its end; it need not end in a zero byte. */
bool command_read(const char *line, size_t length, struct command *command);

/* Exactly four decimal bytes without leading zeros. */
bool address_read(const char *text, size_t length, uint32_t *address);
