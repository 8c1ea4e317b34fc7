/* A pseudo-terminal for a process that is about to be launched. */
#pragma once
#include <stdbool.h>

#include "config-message.h"

/*
 * Makes one of the size that `spec` gives. `master` is non-blocking; `peer` is for the process and to be closed here once that
 * has it. Whichever is open is not -1, also after a failure, which errno explains.
 */
bool terminal_open(const struct process_spec *spec, int *master, int *peer);
