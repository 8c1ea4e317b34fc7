#include "blocked-writes.h"

#include <errno.h>
#include <fcntl.h>

#include "fuse-server.h"
#include "pseudo-tree.h"

ssize_t blocked_add(struct blocked_writes *all, const struct fuse_request *request, uint64_t ticket, size_t most) {
  if (request->flags & O_NONBLOCK) return -EAGAIN;
  if (blocked_count(all) >= most) return -EBUSY;
  for (struct blocked_write *write = all->items; write < all->items + BLOCKED_MAX; write++) {
    if (write->unique) continue;
    *write = (struct blocked_write){request->unique, ticket, request->length, request->thread};
    return ANSWERS_LATER;
  }
  return -EBUSY;
}

size_t blocked_count(const struct blocked_writes *all) {
  size_t count = 0;
  for (size_t i = 0; i < BLOCKED_MAX; i++) count += all->items[i].unique != 0;
  return count;
}

uint64_t blocked_first(const struct blocked_writes *all) {
  uint64_t first = 0;
  for (const struct blocked_write *write = all->items; write < all->items + BLOCKED_MAX; write++)
    if (write->unique && (!first || write->ticket < first)) first = write->ticket;
  return first;
}

struct blocked_write *blocked_find(struct blocked_writes *all, uint64_t ticket) {
  for (struct blocked_write *write = all->items; write < all->items + BLOCKED_MAX; write++)
    if (write->unique && write->ticket == ticket) return write;
  return NULL;
}

void blocked_release(struct blocked_writes *all, uint64_t ticket, int error) {
  for (struct blocked_write *write = all->items; write < all->items + BLOCKED_MAX; write++) {
    if (!write->unique || (ticket && write->ticket != ticket)) continue;
    fuse_answer_write(write->unique, error ? -error : (ssize_t)write->length);
    write->unique = 0;
  }
}

bool blocked_interrupt(struct blocked_writes *all, uint64_t unique) {
  for (struct blocked_write *write = all->items; unique && write < all->items + BLOCKED_MAX; write++) {
    if (write->unique != unique) continue;
    fuse_answer_write(unique, -EINTR);
    write->unique = 0;
    return true;
  }
  return false;
}
