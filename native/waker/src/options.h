/* waker --device=NAME --pool=A.B.C.D/N --socket=PATH */
#pragma once
#include <stdint.h>

struct options {
  const char *device, *socket;
  uint32_t pool;
  unsigned pool_length;
};

/* Ends the process with a word on stderr if they make no sense. */
struct options options_read(char **arguments);
