#include <string.h>

#include "check.h"
#include "frames.h"

static const uint8_t token[TOKEN_LENGTH] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static struct frame_reader reader;

static void feed(const void *data, size_t length) {
  size_t space;
  uint8_t *to = frames_space(&reader, &space);
  CHECK(length <= space);
  memcpy(to, data, length);
  frames_added(&reader, length);
}

static struct bytes hello_of(const uint8_t *of) {
  struct bytes bytes = {0};
  uint8_t offset[8];
  put64(offset, 77);
  uint8_t *zeros = bytes_reserve(&bytes, FRAME_HEADER + FRAME_MAX_IN + TAG_LENGTH);
  memset(zeros, 0, FRAME_HEADER + FRAME_MAX_IN + TAG_LENGTH);
  bytes.length = FRAME_HEADER + FRAME_MAX_IN + TAG_LENGTH;
  bytes_append(&bytes, HELLO_MAGIC, HELLO_MAGIC_LENGTH);
  bytes_append(&bytes, of, TOKEN_LENGTH);
  bytes_append(&bytes, offset, 8);
  return bytes;
}

/* Whatever comes in one byte at a time comes out as the same frames. */
static void finds_hello_and_frames_in_any_cut(void) {
  struct bytes bytes = hello_of(token);
  uint8_t payload[300];
  memset(payload, 0xab, sizeof payload);
  frame_put(&bytes, token, &(struct frame){9, TYPE_STATS, 0, sizeof payload, payload});
  frame_put(&bytes, token, &(struct frame){10, TYPE_STOP, 1, 0, NULL});
  struct frame frame;
  struct hello hello;
  unsigned hellos = 0, frames = 0;
  for (size_t i = 0; i < bytes.length; i++) {
    feed(bytes.data + i, 1);
    enum parsed parsed;
    while ((parsed = frames_next(&reader, &frame, &hello)) != PARSED_NOTHING) {
      if (parsed == PARSED_FRAME) {
        CHECK(frame.id == 9 + frames);
        frames++;
      } else {
        CHECK(hello.log_offset == 77 && memcmp(hello.token, token, TOKEN_LENGTH) == 0);
        hellos++;
      }
    }
  }
  CHECK(hellos == 1 && frames == 2 && frame.type == TYPE_STOP && frame.flags == 1);
  bytes_free(&bytes);
}

/* A host dies in the middle of a frame; the next one's zeros end it and nothing of it is taken for a frame. */
static void a_torn_frame_does_not_swallow_the_next_hello(void) {
  struct bytes bytes = {0};
  uint8_t payload[FRAME_MAX_IN] = {0};
  frame_put(&bytes, token, &(struct frame){1, TYPE_POWER_OFF, 0, sizeof payload, payload});
  struct frame frame;
  struct hello hello;
  for (size_t torn = 1; torn < bytes.length; torn += 97) {
    feed(bytes.data, torn);
    CHECK(frames_next(&reader, &frame, &hello) == PARSED_NOTHING);
    struct bytes next = hello_of(token);
    feed(next.data, next.length);
    CHECK(frames_next(&reader, &frame, &hello) == PARSED_HELLO);
    CHECK(frames_next(&reader, &frame, &hello) == PARSED_NOTHING);
    bytes_free(&next);
  }
  bytes_free(&bytes);
}

static void a_wrong_tag_and_an_overlong_frame_end_the_session(void) {
  static const uint8_t other[TAG_LENGTH] = {9, 9, 9, 9};
  struct bytes wrong = {0};
  struct frame frame;
  struct hello hello;
  frame_put(&wrong, other, &(struct frame){1, TYPE_STATS, 0, 0, NULL});
  feed(wrong.data, wrong.length);
  CHECK(reader.synced && frames_next(&reader, &frame, &hello) == PARSED_NOTHING && !reader.synced);
  bytes_free(&wrong);
  struct bytes next = hello_of(token);
  feed(next.data, next.length);
  CHECK(frames_next(&reader, &frame, &hello) == PARSED_HELLO);
  bytes_free(&next);
  feed("\1\0\6\0\xff\xff\xff\xff", 8);
  CHECK(frames_next(&reader, &frame, &hello) == PARSED_NOTHING && !reader.synced);
}

int main(void) {
  finds_hello_and_frames_in_any_cut();
  a_torn_frame_does_not_swallow_the_next_hello();
  a_wrong_tag_and_an_overlong_frame_end_the_session();
}
