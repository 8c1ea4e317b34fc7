/*
 * The host's bytes cut into frames. A new host may come while an old one's frame is half read, so each frame ends with
 * the session's tag, and a new host sends a frame's length of zeros before its hello: they fill the torn frame, its
 * tag is wrong, and the reader hunts for the hello.
 */
#pragma once
#include "bytes.h"
#include "wire.h"

struct frame {
  uint16_t id;
  uint8_t type, flags;
  uint32_t length;
  const uint8_t *payload;
};

struct hello {
  uint8_t token[TOKEN_LENGTH];
  uint64_t log_offset;
};

enum parsed { PARSED_NOTHING, PARSED_HELLO, PARSED_FRAME };

struct frame_reader {
  bool synced;
  uint8_t tag[TAG_LENGTH];
  size_t start, end;
  uint8_t buffer[8 * (FRAME_HEADER + FRAME_MAX_IN + TAG_LENGTH)];
};

/* Where to read more bytes to, never zero of them; `frames_added` says how many came. Invalidates earlier payloads. */
uint8_t *frames_space(struct frame_reader *reader, size_t *space);
void frames_added(struct frame_reader *reader, size_t length);
enum parsed frames_next(struct frame_reader *reader, struct frame *frame, struct hello *hello);
/* Forgets the session: what comes next is skipped up to a hello. */
void frames_desync(struct frame_reader *reader);

void frame_put(struct bytes *to, const uint8_t tag[TAG_LENGTH], const struct frame *frame);
