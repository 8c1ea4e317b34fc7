/*
 * Lines from the host to whoever in the guest listens: the file notify. Each opening reads what was said since it was
 * opened; a read waits for the next line. The last 4 KiB are kept: who is further behind goes on with the oldest whole line.
 */
#pragma once
#include "pseudo-tree.h"

enum { NOTICE_MAX = 1024 };

extern const struct pseudo_file notices_file;

/* `text` is at most NOTICE_MAX bytes without a newline. */
void notices_add(const char *text, size_t length);
