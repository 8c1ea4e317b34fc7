#pragma once
#include <stdint.h>

int64_t monotonic_us(void);
uint64_t wall_ms(void);
