#include "words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *peek(struct words *words, size_t *length) {
  words->rest += strspn(words->rest, " ");
  *length = strcspn(words->rest, " ");
  return *length == 0 ? NULL : words->rest;
}

const char *words_next(struct words *words) {
  size_t length;
  const char *word = peek(words, &length);
  if (word == NULL) return NULL;
  words->rest += length;
  if (*words->rest != '\0') *words->rest++ = '\0';
  return word;
}

bool words_take(struct words *words, const char *wanted) {
  size_t length;
  const char *word = peek(words, &length);
  bool is_it = word != NULL && strlen(wanted) == length && memcmp(word, wanted, length) == 0;
  if (is_it) words_next(words);
  return is_it;
}

const char *words_text(struct words *words) {
  const char *word = words_next(words);
  if (word == NULL) words->good = false;
  return word == NULL ? "" : word;
}

uint32_t words_number(struct words *words) {
  const char *text = words_text(words);
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value > UINT32_MAX) words->good = false;
  return (uint32_t)value;
}
