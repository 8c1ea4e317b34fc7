/* Looks for the program's first listening port. The kernel tells nobody, so: often at first, then ever more rarely. */
#pragma once
#include <stdint.h>

void listening_watch(int64_t configured_at_us);
void listening_off(void);
