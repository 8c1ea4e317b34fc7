/* What is taken for an entry is one again when written and read once more. */
#include <stdlib.h>
#include <string.h>

#include "file-record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct entry entry, again;
  if (!entry_parse(data, size, &entry)) return 0;
  struct bytes bytes = {0};
  if (!entry_put(&bytes, &entry)) abort();
  if (!entry_parse(bytes.data + RECORD_HEAD, bytes.length - RECORD_HEAD, &again)) abort();
  if (strcmp(entry.path, again.path) != 0 || entry.size != again.size) abort();
  bytes_free(&bytes);
  return 0;
}
