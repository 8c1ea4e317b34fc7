#include <fcntl.h>
#include <string.h>

#include "children.h"
#include "forks.h"
#include "fuse-server.h"
#include "notices.h"
#include "template-request.h"

static void let_the_host_act(uint8_t what) {
  static const char id[] = "22222222-2222-4222-8222-222222222222";
  static uint64_t request;
  switch (what) {
    case 255: return notices_add("asleep soon", 11);
    case 254: return forks_tell();
    case 253: return children_add(id, id, 1);
    case 252: return forks_answer(++request, 0, id);
    case 251: return children_change(id, CHILD_STOPPED, 1);
    case 250: return template_request_answer(request, 1);
    case 249: return forks_become(BECOME_FORK);
    default: return template_request_become(BECOME_TEMPLATE);
  }
}

/* One request after the other, each with its true length in its header; 248 to 255 in the place of a length are the host's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int nowhere = -1;
  static _Alignas(8) uint8_t request[FUSE_REQUEST_MAX];
  if (nowhere < 0) fuse_set_device(nowhere = open("/dev/null", O_WRONLY));
  while (size > 1) {
    uint8_t first = data[0];
    size_t length = first >= 248 ? 0 : first;
    data++, size--;
    if (length > size) length = size;
    if (first >= 248) let_the_host_act(first);
    memcpy(request, data, length);
    if (length >= 4) put32(request, (uint32_t)length);
    fuse_handle(request, length);
    data += length, size -= length;
  }
  return 0;
}
