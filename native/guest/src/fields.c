#include "fields.h"

#include <stdlib.h>
#include <string.h>

int field_next(struct field_reader *reader, struct field *field) {
  if (reader->left == 0) return 0;
  if (reader->left < 5) return -1;
  field->key = reader->at[0];
  field->length = get32(reader->at + 1);
  field->data = reader->at + 5;
  if (reader->left - 5 < field->length) return -1;
  reader->at += 5 + (size_t)field->length;
  reader->left -= 5 + (size_t)field->length;
  return 1;
}

char *field_text(const struct field *field) {
  if (memchr(field->data, 0, field->length)) return NULL;
  char *text = need(malloc((size_t)field->length + 1));
  memcpy(text, field->data, field->length);
  text[field->length] = 0;
  return text;
}

bool field_u32(const struct field *field, uint32_t *value) {
  if (field->length != 4) return false;
  *value = get32(field->data);
  return true;
}

bool field_u64(const struct field *field, uint64_t *value) {
  if (field->length != 8) return false;
  *value = get64(field->data);
  return true;
}

void field_put(struct bytes *to, uint8_t key, const void *data, size_t length) {
  uint8_t head[5] = {key};
  put32(head + 1, (uint32_t)length);
  bytes_append(to, head, sizeof head);
  bytes_append(to, data, length);
}

void field_put_u32(struct bytes *to, uint8_t key, uint32_t value) {
  uint8_t number[4];
  put32(number, value);
  field_put(to, key, number, sizeof number);
}

void field_put_u64(struct bytes *to, uint8_t key, uint64_t value) {
  uint8_t number[8];
  put64(number, value);
  field_put(to, key, number, sizeof number);
}

void field_put_text(struct bytes *to, uint8_t key, const char *text) { field_put(to, key, text, strlen(text)); }
