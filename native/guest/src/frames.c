#include "frames.h"

#include <string.h>

static enum parsed hunt(struct frame_reader *reader, struct hello *hello);

uint8_t *frames_space(struct frame_reader *reader, size_t *space) {
  /* What is left of a frame moves only when it must: the port hands over 4 KiB at a time. */
  if (reader->start == reader->end) reader->start = reader->end = 0;
  if (reader->start > 0 && sizeof reader->buffer - reader->end < FRAME_MAX_IN) {
    memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
    reader->end -= reader->start;
    reader->start = 0;
  }
  *space = sizeof reader->buffer - reader->end;
  return reader->buffer + reader->end;
}

void frames_added(struct frame_reader *reader, size_t length) { reader->end += length; }

void frames_desync(struct frame_reader *reader) { reader->synced = false; }

enum parsed frames_next(struct frame_reader *reader, struct frame *frame, struct hello *hello) {
  if (!reader->synced) return hunt(reader, hello);
  const uint8_t *at = reader->buffer + reader->start;
  size_t have = reader->end - reader->start;
  if (have < FRAME_HEADER) return PARSED_NOTHING;
  uint32_t length = get32(at + 4);
  bool broken = at[2] == 0 || length > FRAME_MAX_IN;
  size_t whole = FRAME_HEADER + (size_t)length + TAG_LENGTH;
  if (!broken && have < whole) return PARSED_NOTHING;
  if (broken || memcmp(at + FRAME_HEADER + length, reader->tag, TAG_LENGTH) != 0) {
    frames_desync(reader);
    return hunt(reader, hello);
  }
  *frame = (struct frame){get16(at), at[2], at[3], length, at + FRAME_HEADER};
  reader->start += whole;
  return PARSED_FRAME;
}

static enum parsed hunt(struct frame_reader *reader, struct hello *hello) {
  const uint8_t *at = reader->buffer + reader->start;
  size_t have = reader->end - reader->start;
  const uint8_t *found = memmem(at, have, HELLO_MAGIC, HELLO_MAGIC_LENGTH);
  if (!found) {
    size_t keep = have < HELLO_MAGIC_LENGTH - 1 ? have : HELLO_MAGIC_LENGTH - 1;
    reader->start = reader->end - keep;
    return PARSED_NOTHING;
  }
  reader->start = (size_t)(found - reader->buffer);
  if (reader->end - reader->start < HELLO_LENGTH) return PARSED_NOTHING;
  memcpy(hello->token, found + HELLO_MAGIC_LENGTH, TOKEN_LENGTH);
  hello->log_offset = get64(found + HELLO_MAGIC_LENGTH + TOKEN_LENGTH);
  memcpy(reader->tag, hello->token, TAG_LENGTH);
  reader->start += HELLO_LENGTH;
  reader->synced = true;
  return PARSED_HELLO;
}

void frame_put(struct bytes *to, const uint8_t tag[TAG_LENGTH], const struct frame *frame) {
  uint8_t head[FRAME_HEADER];
  put16(head, frame->id);
  head[2] = frame->type;
  head[3] = frame->flags;
  put32(head + 4, frame->length);
  bytes_append(to, head, sizeof head);
  bytes_append(to, frame->payload, frame->length);
  bytes_append(to, tag, TAG_LENGTH);
}
