/* The kernel's side of the FUSE device, for tests. */
#pragma once
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "fuse-server.h"
#include "pseudo-tree.h"

/* A pair of sockets that keep messages apart, as the device does. */
static int kernel_side;
/* Who asks. */
static uint32_t asking_thread = 100;
static struct {
  struct fuse_out_header head;
  uint8_t body[8192];
} answer;
static size_t body_length;

static inline bool answered(void) {
  ssize_t got = recv(kernel_side, &answer, sizeof answer, MSG_DONTWAIT);
  if (got < 0) return false;
  CHECK((size_t)got >= sizeof answer.head && answer.head.len == (uint32_t)got);
  body_length = (size_t)got - sizeof answer.head;
  return true;
}

static inline void ask(uint32_t opcode, uint64_t unique, uint64_t node, const void *in, size_t length) {
  static _Alignas(8) uint8_t request[FUSE_REQUEST_MAX];
  struct fuse_in_header head = {.len = (uint32_t)(sizeof head + length), .opcode = opcode, .unique = unique};
  head.nodeid = node, head.pid = asking_thread;
  memcpy(request, &head, sizeof head);
  if (length > 0) memcpy(request + sizeof head, in, length);
  fuse_handle(request, sizeof head + length);
}

static inline int error_of(uint32_t opcode, uint64_t node, const void *in, size_t length) {
  ask(opcode, 7, node, in, length);
  CHECK(answered() && answer.head.unique == 7);
  return -answer.head.error;
}

static inline uint64_t node_in(uint64_t directory, const char *name) {
  CHECK(error_of(FUSE_LOOKUP, directory, name, strlen(name) + 1) == 0);
  struct fuse_entry_out entry;
  memcpy(&entry, answer.body, sizeof entry);
  return entry.nodeid;
}

static inline uint64_t node_of(const char *name) { return node_in(FUSE_ROOT_ID, name); }

static inline bool says(const char *text) { return body_length == strlen(text) && memcmp(answer.body, text, body_length) == 0; }


static inline void begin_kernel(void) {
  int pair[2];
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
  kernel_side = pair[0];
  fuse_set_device(pair[1]);
}
