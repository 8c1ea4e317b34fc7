#include "notices.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>

#include "fuse-server.h"

enum { RING = 4096, OPENINGS = 64, WAITERS = 64 };

struct opening {
  bool used, polled;
  uint64_t at, poll_handle;
};

struct waiter {
  uint64_t unique; /* 0: free; the kernel's numbers begin above it */
  uint64_t handle;
  size_t size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char ring[RING];
static uint64_t end;
static struct opening openings[OPENINGS];
static struct waiter waiters[WAITERS];

static int file_open(uint64_t *handle);
static void file_release(uint64_t handle);
static ssize_t file_read(const struct fuse_request *request, char *to, size_t size);
static uint32_t file_poll(const struct fuse_request *request);
static bool file_interrupt(uint64_t unique);
static struct opening *find(uint64_t handle);
static size_t take(struct opening *opening, char *to, size_t size);
static bool wait_for_line(const struct fuse_request *request, size_t size);

const struct pseudo_file notices_file = {
    .open = file_open,
    .release = file_release,
    .read = file_read,
    .poll = file_poll,
    .interrupt = file_interrupt,
    .stream = true,
};

void notices_add(const char *text, size_t length) {
  char piece[NOTICE_MAX + 1];
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < length; i++) ring[end++ % RING] = text[i];
  ring[end++ % RING] = '\n';
  for (struct waiter *waiter = waiters; waiter < waiters + WAITERS; waiter++) {
    if (!waiter->unique) continue;
    size_t got = take(find(waiter->handle), piece, waiter->size < sizeof piece ? waiter->size : sizeof piece);
    fuse_answer(waiter->unique, 0, piece, got);
    waiter->unique = 0;
  }
  for (struct opening *opening = openings; opening < openings + OPENINGS; opening++) {
    if (opening->used && opening->polled) fuse_wake_poll(opening->poll_handle);
    opening->polled = false;
  }
  pthread_mutex_unlock(&lock);
}

static int file_open(uint64_t *handle) {
  int error = -ENFILE;
  pthread_mutex_lock(&lock);
  for (uint64_t i = 0; error && i < OPENINGS; i++) {
    if (openings[i].used) continue;
    openings[i] = (struct opening){.used = true, .at = end};
    *handle = i;
    error = 0;
  }
  pthread_mutex_unlock(&lock);
  return error;
}

static void file_release(uint64_t handle) {
  pthread_mutex_lock(&lock);
  struct opening *opening = find(handle);
  if (opening) opening->used = false;
  for (struct waiter *waiter = waiters; waiter < waiters + WAITERS; waiter++) {
    if (!waiter->unique || waiter->handle != handle) continue;
    fuse_answer(waiter->unique, EBADF, NULL, 0);
    waiter->unique = 0;
  }
  pthread_mutex_unlock(&lock);
}

static ssize_t file_read(const struct fuse_request *request, char *to, size_t size) {
  pthread_mutex_lock(&lock);
  struct opening *opening = find(request->handle);
  ssize_t result = -EBADF;
  if (opening && opening->at < end)
    result = (ssize_t)take(opening, to, size);
  else if (opening)
    result = !(request->flags & O_NONBLOCK) && wait_for_line(request, size) ? ANSWERS_LATER : -EAGAIN;
  pthread_mutex_unlock(&lock);
  return result;
}

static uint32_t file_poll(const struct fuse_request *request) {
  pthread_mutex_lock(&lock);
  struct opening *opening = find(request->handle);
  uint32_t ready = !opening ? POLLERR : opening->at < end ? POLLIN | POLLRDNORM : 0;
  if (opening && request->flags & FUSE_POLL_SCHEDULE_NOTIFY) {
    opening->polled = true;
    opening->poll_handle = request->poll_handle;
  }
  pthread_mutex_unlock(&lock);
  return ready;
}

static bool file_interrupt(uint64_t unique) {
  bool found = false;
  pthread_mutex_lock(&lock);
  for (struct waiter *waiter = waiters; unique && waiter < waiters + WAITERS; waiter++) {
    if (waiter->unique != unique) continue;
    fuse_answer(unique, EINTR, NULL, 0);
    waiter->unique = 0;
    found = true;
  }
  pthread_mutex_unlock(&lock);
  return found;
}

static struct opening *find(uint64_t handle) {
  return handle < OPENINGS && openings[handle].used ? &openings[handle] : NULL;
}

static size_t take(struct opening *opening, char *to, size_t size) {
  if (end - opening->at > RING) {
    opening->at = end - RING;
    while (ring[opening->at++ % RING] != '\n') {
    }
  }
  size_t taken = 0;
  while (taken < size && opening->at < end) to[taken++] = ring[opening->at++ % RING];
  return taken;
}

static bool wait_for_line(const struct fuse_request *request, size_t size) {
  for (struct waiter *waiter = waiters; waiter < waiters + WAITERS; waiter++) {
    if (waiter->unique) continue;
    *waiter = (struct waiter){request->unique, request->handle, size};
    return true;
  }
  return false;
}
