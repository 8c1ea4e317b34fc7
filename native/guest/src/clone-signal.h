/* The file clone_signal: the signal that the program's process group gets when the machine has become another. None at first. */
#pragma once
#include "pseudo-tree.h"

extern const struct pseudo_file clone_signal_file;

/* 0: none. */
int clone_signal(void);
/* A name with or without SIG, a number up to 64, or "none"; with or without a newline. 0, or EINVAL and nothing has changed. */
int clone_signal_set(const char *text, size_t length);
