#include "lines.h"

bool lines_add(struct lines *lines, const char *bytes, size_t length, bool (*each)(void *context, const char *line, size_t length),
               void *context) {
  for (size_t i = 0; i < length; i++) {
    if (bytes[i] == '\n') {
      size_t whole = lines->length;
      lines->length = 0;
      if (!each(context, lines->text, whole)) return false;
    } else {
      if (lines->length == sizeof lines->text) return false;
      lines->text[lines->length++] = bytes[i];
    }
  }
  return true;
}
