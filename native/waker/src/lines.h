/* Cuts a stream of bytes into lines of bounded length. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "command.h"

struct lines {
  char text[LONGEST_COMMAND];
  size_t length;
};

/* Calls `each` for every line that these bytes complete. False if a line is too long or `each` says so. */
bool lines_add(struct lines *lines, const char *bytes, size_t length, bool (*each)(void *context, const char *line, size_t length),
               void *context);
