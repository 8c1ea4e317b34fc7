/* A growing run of bytes, and little-endian numbers. Memory that cannot be had ends the agent: PID 1 has no plan B. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
  uint8_t *data;
  size_t length, capacity;
};

void bytes_append(struct bytes *to, const void *data, size_t length);
/* Makes room for `length` more bytes and returns where they go; the caller adds to `length`. */
uint8_t *bytes_reserve(struct bytes *to, size_t length);
void bytes_drop_front(struct bytes *from, size_t length);
void bytes_free(struct bytes *bytes);

void *need(void *allocated);

static inline uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t get32(const uint8_t *p) { return get16(p) | (uint32_t)get16(p + 2) << 16; }
static inline uint64_t get64(const uint8_t *p) { return get32(p) | (uint64_t)get32(p + 4) << 32; }
static inline void put16(uint8_t *p, uint16_t v) { p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8); }
static inline void put32(uint8_t *p, uint32_t v) { put16(p, (uint16_t)v), put16(p + 2, (uint16_t)(v >> 16)); }
static inline void put64(uint8_t *p, uint64_t v) { put32(p, (uint32_t)v), put32(p + 4, (uint32_t)(v >> 32)); }
