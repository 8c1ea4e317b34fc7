#include "fuse-request.h"

#include <errno.h>
#include <string.h>

static bool take(const uint8_t *from, size_t have, void *to, size_t want);

int fuse_request_parse(const uint8_t *bytes, size_t length, struct fuse_request *request) {
  struct fuse_in_header head;
  *request = (struct fuse_request){0};
  if (!take(bytes, length, &head, sizeof head) || head.len != length) return EIO;
  request->opcode = head.opcode;
  request->unique = head.unique;
  request->node = head.nodeid;
  request->thread = head.pid;
  const uint8_t *at = bytes + sizeof head;
  size_t have = length - sizeof head;
  union {
    struct fuse_setattr_in setattr;
    struct fuse_open_in open;
    struct fuse_read_in read;
    struct fuse_write_in write;
    struct fuse_release_in release;
    struct fuse_poll_in poll;
    struct fuse_interrupt_in interrupt;
  } in;
  switch (head.opcode) {
    case FUSE_LOOKUP:
      request->name = (const char *)at;
      return memchr(at, 0, have) ? 0 : EINVAL;
    case FUSE_SETATTR:
      if (!take(at, have, &in.setattr, sizeof in.setattr)) return EINVAL;
      request->valid = in.setattr.valid;
      return 0;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
      if (!take(at, have, &in.open, sizeof in.open)) return EINVAL;
      request->flags = in.open.flags;
      return 0;
    case FUSE_READ:
    case FUSE_READDIR:
      if (!take(at, have, &in.read, sizeof in.read)) return EINVAL;
      request->handle = in.read.fh;
      request->offset = in.read.offset;
      request->size = in.read.size;
      request->flags = in.read.flags;
      return 0;
    case FUSE_WRITE:
      if (!take(at, have, &in.write, sizeof in.write) || in.write.size > have - sizeof in.write) return EINVAL;
      request->handle = in.write.fh;
      request->offset = in.write.offset;
      request->data = at + sizeof in.write;
      request->length = in.write.size;
      request->flags = in.write.flags;
      return 0;
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
      if (!take(at, have, &in.release, sizeof in.release)) return EINVAL;
      request->handle = in.release.fh;
      return 0;
    case FUSE_POLL:
      if (!take(at, have, &in.poll, sizeof in.poll)) return EINVAL;
      request->handle = in.poll.fh;
      request->poll_handle = in.poll.kh;
      request->flags = in.poll.flags;
      return 0;
    case FUSE_INTERRUPT:
      if (!take(at, have, &in.interrupt, sizeof in.interrupt)) return EINVAL;
      request->interrupted = in.interrupt.unique;
      return 0;
    case FUSE_INIT: return take(at, have, request->version, sizeof request->version) ? 0 : EINVAL;
    default: return 0;
  }
}

ssize_t fuse_slice(const struct fuse_request *request, const char *text, size_t length, char *to, size_t size) {
  if (request->offset >= length) return 0;
  size_t left = length - (size_t)request->offset;
  if (left > size) left = size;
  memcpy(to, text + request->offset, left);
  return (ssize_t)left;
}

static bool take(const uint8_t *from, size_t have, void *to, size_t want) {
  if (have < want) return false;
  memcpy(to, from, want);
  return true;
}
