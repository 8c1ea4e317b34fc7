/* Pseudo-terminals of processes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "config-message.h"
#include "event-loop.h"

/*
 * Makes one of the size that `spec` gives. `master` is non-blocking; `peer` is for the process and to be closed here once that
 * has it. Whichever is open is not -1, also after a failure, which errno explains.
 */
bool terminal_open(const struct process_spec *spec, int *master, int *peer);

/*
 * Of a terminal's master that was read until it was empty, and gave `got` bytes, which is set to 0. A terminal passes on each
 * line as soon as it is written, and we would read, frame and send each by itself: if they are few, more come together first.
 */
void terminal_emptied(struct source *source, size_t *got);
