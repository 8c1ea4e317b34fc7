/* How many in this guest ask not to be put to sleep: the file scale_to_zero_disable, and what the host hears of it. */
#pragma once
#include "pseudo-tree.h"

extern const struct pseudo_file inhibitors_file;

uint64_t inhibitors_count(void);
/* Applies "+", "-", "=X", "+X" or "-X", with or without a newline. 0, EINVAL or ERANGE; then nothing has changed. */
int inhibitors_apply(const char *text, size_t length);
/* Tells the host about changes from now on. */
void inhibitors_watch(void);
