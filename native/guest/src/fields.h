/* Messages are runs of fields: key u8, length u32, bytes. A key may repeat. */
#pragma once
#include "bytes.h"

struct field {
  uint8_t key;
  uint32_t length;
  const uint8_t *data;
};

struct field_reader {
  const uint8_t *at;
  size_t left;
};

/* 1: a field; 0: the end; -1: the bytes are no run of fields. */
int field_next(struct field_reader *reader, struct field *field);
/* A copy with a terminating NUL, or NULL if it holds a NUL. */
char *field_text(const struct field *field);
/* False unless the field has exactly that size. */
bool field_u32(const struct field *field, uint32_t *value);
bool field_u64(const struct field *field, uint64_t *value);

void field_put(struct bytes *to, uint8_t key, const void *data, size_t length);
void field_put_u32(struct bytes *to, uint8_t key, uint32_t value);
void field_put_u64(struct bytes *to, uint8_t key, uint64_t value);
void field_put_text(struct bytes *to, uint8_t key, const char *text);
