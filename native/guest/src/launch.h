/* Starts one process of the image. Returns when its first instruction is about to run, or with the reason why not. */
#pragma once
#include <sys/types.h>

#include "config-message.h"

struct launch {
  const struct process_spec *spec;
  const struct process_spec *defaults; /* environment, user and working directory where `spec` has none */
  const char *hostname;
  int in, out, err; /* descriptors for 0, 1, 2; `in` is the controlling terminal if `spec->terminal` */
};

struct launched {
  pid_t pid; /* 0: failed */
  int code;  /* 126 or 127, as a shell has it */
  char reason[512];
};

void launch(const struct launch *request, struct launched *result);
