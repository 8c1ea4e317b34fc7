/* One request as the kernel writes it to /dev/fuse, checked: what an operation needs is there and inside its bytes. */
#pragma once
#include <linux/fuse.h>
#include <sys/types.h>

#include "bytes.h"

/* What FUSE_READ gives is bounded by the reader; what FUSE_WRITE brings by this, which the kernel is told. */
enum { FUSE_WRITE_MAX = 4096, FUSE_REQUEST_MAX = 8192 };

struct fuse_request {
  uint32_t opcode;
  uint64_t unique, node;
  uint32_t thread;           /* who asks: its number in the guest's first PID namespace */
  const char *name;          /* LOOKUP */
  uint32_t valid;            /* SETATTR: which attributes are to change */
  uint32_t flags;            /* OPEN, READ, WRITE: those of open(2); POLL: FUSE_POLL_* */
  uint64_t handle, offset;   /* READ, READDIR, WRITE, POLL, RELEASE */
  uint32_t size;             /* READ, READDIR: most bytes wanted */
  const uint8_t *data;       /* WRITE */
  uint32_t length;           /* of `data` */
  uint64_t poll_handle;      /* POLL */
  uint64_t interrupted;      /* INTERRUPT: the other request's `unique` */
  uint32_t version[2];       /* INIT */
};

/* 0, or an errno: EIO if there is not even a request to answer, EINVAL if its argument is cut short. */
int fuse_request_parse(const uint8_t *bytes, size_t length, struct fuse_request *request);
/* Answers a READ of a file that is this text; returns its bytes. */
ssize_t fuse_slice(const struct fuse_request *request, const char *text, size_t length, char *to, size_t size);
