/* Any bytes on the control socket, cut anywhere. */
#include <stdlib.h>

#include "command.h"
#include "lines.h"

static bool each(void *context, const char *line, size_t length) {
  struct command command;
  (void)context;
  if (length > LONGEST_COMMAND) abort();
  if (command_read(line, length, &command) && command.verb > VERB_END) abort();
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct lines lines = {0};
  while (size > 0) {
    size_t part = 1 + data[0] % 40;
    if (part > size) part = size;
    if (!lines_add(&lines, (const char *)data, part, each, NULL)) return 0;
    data += part;
    size -= part;
  }
  return 0;
}
