/* A failed check names its place and ends the test. */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                          \
  do {                                                                            \
    if (condition) break;                                                         \
    fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);       \
    exit(1);                                                                      \
  } while (0)
