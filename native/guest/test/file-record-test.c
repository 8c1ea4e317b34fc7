#include <string.h>

#include "check.h"
#include "file-record.h"

int main(void) {
  static struct entry entry, back;
  struct bytes bytes = {0};
  entry = (struct entry){ENTRY_HARDLINK, 04755, 1, 2, 3, 4, 5, -1500, "a/b", "a/c"};
  CHECK(entry_put(&bytes, &entry));
  const uint8_t *body = bytes.data + RECORD_HEAD;
  size_t length = bytes.length - RECORD_HEAD;
  CHECK(bytes.data[0] == RECORD_ENTRY && get32(bytes.data + 1) == length);
  CHECK(entry_parse(body, length, &back));
  CHECK(back.type == entry.type && back.mode == 04755 && back.mtime_ms == -1500 && back.minor == 4 && back.size == 5);
  CHECK(strcmp(back.path, "a/b") == 0 && strcmp(back.target, "a/c") == 0);
  for (size_t cut = 0; cut < length; cut++) {
    uint8_t *copy = need(malloc(cut + 1));
    memcpy(copy, body, cut);
    CHECK(!entry_parse(copy, cut, &back));
    free(copy);
  }
  bytes_free(&bytes);
  CHECK(is_inner_path("") && is_inner_path("a") && is_inner_path("a/..b/c"));
  CHECK(!is_inner_path("/a") && !is_inner_path("a/../b") && !is_inner_path("..") && !is_inner_path("a//b"));
  CHECK(!is_inner_path("a/") && !is_inner_path("./a"));
}
