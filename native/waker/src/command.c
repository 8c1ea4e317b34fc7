#include "command.h"

#include <string.h>

static const struct {
  const char *word;
  enum verb verb;
  bool has_address;
} verbs[] = {
    {"sleep", VERB_SLEEP, true},  {"wake", VERB_WAKE, true},    {"mark", VERB_MARK, false},
    {"sweep", VERB_SWEEP, false}, {"stats", VERB_STATS, false}, {"end", VERB_END, false},
};

bool command_read(const char *line, size_t length, struct command *command) {
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
    size_t word = strlen(verbs[i].word);
    if (length < word || memcmp(line, verbs[i].word, word) != 0) continue;
    command->verb = verbs[i].verb;
    command->address = 0;
    if (!verbs[i].has_address) return length == word;
    return length > word && line[word] == ' ' && address_read(line + word + 1, length - word - 1, &command->address);
  }
  return false;
}

bool address_read(const char *text, size_t length, uint32_t *address) {
  uint32_t value = 0;
  size_t at = 0;
  for (int part = 0; part < 4; part++) {
    if (part > 0 && (at >= length || text[at++] != '.')) return false;
    size_t start = at;
    unsigned byte = 0;
    while (at < length && at - start < 3 && text[at] >= '0' && text[at] <= '9') byte = byte * 10 + (unsigned)(text[at++] - '0');
    if (at == start || byte > 255 || (at - start > 1 && text[start] == '0')) return false;
    value = value << 8 | byte;
  }
  *address = value;
  return at == length;
}
