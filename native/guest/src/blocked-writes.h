/* Writes to pseudo files that wait for something, each with a ticket. The caller holds a lock around every call. */
#pragma once
#include "fuse-request.h"

enum { BLOCKED_MAX = 64 };

struct blocked_write {
  uint64_t unique, ticket; /* `unique` 0: free; the kernel's numbers begin above it */
  uint32_t length, thread;
};

struct blocked_writes {
  struct blocked_write items[BLOCKED_MAX];
};

/* From a `write`: ANSWERS_LATER, or EBUSY or EAGAIN negated if it cannot or may not wait. `most` bounds how many do. */
ssize_t blocked_add(struct blocked_writes *all, const struct fuse_request *request, uint64_t ticket, size_t most);
size_t blocked_count(const struct blocked_writes *all);
/* The smallest ticket, or 0. */
uint64_t blocked_first(const struct blocked_writes *all);
struct blocked_write *blocked_find(struct blocked_writes *all, uint64_t ticket);
/* Those with the ticket, or all for 0, return: with success or an errno. */
void blocked_release(struct blocked_writes *all, uint64_t ticket, int error);
/* True if it was one of these; it fails with EINTR. */
bool blocked_interrupt(struct blocked_writes *all, uint64_t unique);
