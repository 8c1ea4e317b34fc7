/* The host's bytes, with a hello in front now and then: no frame may reach beyond what came. */
#include <string.h>

#include "frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct frame_reader reader;
  memset(&reader, 0, sizeof reader);
  static const uint8_t hello_bytes[HELLO_LENGTH] = HELLO_MAGIC;
  while (size > 0) {
    size_t space, part = 1 + data[0] % 64u * 64u;
    uint8_t *to = frames_space(&reader, &space);
    bool greet = data[0] & 0x80;
    if (part > size) part = size;
    if (part > space) part = space;
    memcpy(to, greet ? hello_bytes : data, greet && part > HELLO_LENGTH ? HELLO_LENGTH : greet ? 0 : part);
    frames_added(&reader, greet && part > HELLO_LENGTH ? HELLO_LENGTH : greet ? 0 : part);
    data += part;
    size -= part;
    struct frame frame;
    struct hello hello;
    enum parsed parsed;
    while ((parsed = frames_next(&reader, &frame, &hello)) != PARSED_NOTHING)
      if (parsed == PARSED_FRAME)
        if (memchr(frame.payload, 0xa5, frame.length) == data) return 1;
  }
  return 0;
}
