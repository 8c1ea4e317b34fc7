#include <fcntl.h>
#include <string.h>

#include "fuse-server.h"
#include "notices.h"

/* One request after the other, each with its true length in its header; 255 in the place of a length is a notice. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int nowhere = -1;
  static _Alignas(8) uint8_t request[FUSE_REQUEST_MAX];
  if (nowhere < 0) fuse_set_device(nowhere = open("/dev/null", O_WRONLY));
  while (size > 1) {
    size_t length = data[0] == 255 ? 0 : data[0];
    data++, size--;
    if (length > size) length = size;
    if (length == 0) notices_add("asleep soon", 11);
    memcpy(request, data, length);
    if (length >= 4) put32(request, (uint32_t)length);
    fuse_handle(request, length);
    data += length, size -= length;
  }
  return 0;
}
