/* How many TCP connections with the outside world are established. */
#pragma once
#include <stdint.h>

uint32_t connections_count(void);
