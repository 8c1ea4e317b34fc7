/* The words of one command, taken one after the other. What is missing or no number makes `good` false. */
#ifndef WORDS_H
#define WORDS_H

#include <stdbool.h>
#include <stdint.h>

struct words {
  char *rest;
  bool good;
};

/* NULL at the end. */
const char *words_next(struct words *words);
/* Takes the next word if it is this one. */
bool words_take(struct words *words, const char *wanted);
/* Never NULL: empty if it is missing. */
const char *words_text(struct words *words);
uint32_t words_number(struct words *words);

#endif
