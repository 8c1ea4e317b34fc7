/* What the kernel killed for want of memory, by its own log. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct oom_kill {
  uint32_t pid;
  char process[64];
  uint64_t rss_kb;
};

/* One record of /dev/kmsg; false if it is none of the kernel's about such a killing. */
bool parse_oom_kill(const char *record, struct oom_kill *kill);

void oom_watch(void);
/* True if the kernel said that it killed `pid`; reads what it said up to now. */
bool oom_killed(int pid);
