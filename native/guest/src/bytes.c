#include "bytes.h"

#include <stdlib.h>
#include <string.h>

void *need(void *allocated) {
  if (!allocated) abort();
  return allocated;
}

uint8_t *bytes_reserve(struct bytes *to, size_t length) {
  if (to->capacity - to->length < length) {
    size_t capacity = to->capacity ? to->capacity : 256;
    while (capacity - to->length < length) capacity *= 2;
    to->data = need(realloc(to->data, capacity));
    to->capacity = capacity;
  }
  return to->data + to->length;
}

void bytes_append(struct bytes *to, const void *data, size_t length) {
  if (length == 0) return;
  memcpy(bytes_reserve(to, length), data, length);
  to->length += length;
}

void bytes_drop_front(struct bytes *from, size_t length) {
  if (length == 0) return;
  memmove(from->data, from->data + length, from->length - length);
  from->length -= length;
}

void bytes_free(struct bytes *bytes) {
  free(bytes->data);
  *bytes = (struct bytes){0};
}
