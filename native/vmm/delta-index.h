/*
 * The index of a delta: runs of guest pages, by rising page, none touching the next. The delta file holds their pages one
 * after the other, so that a run's place in it is the sum of the counts before. Numbers as the processor has them.
 */
#ifndef DELTA_INDEX_H
#define DELTA_INDEX_H

#include <stdint.h>

enum { page_bytes = 4096 };

struct run {
  uint32_t page, count;
};

#endif
