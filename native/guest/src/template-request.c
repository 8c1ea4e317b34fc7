#include "template-request.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "blocked-writes.h"
#include "requests.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct blocked_writes writes;
/* All that wait share one request; the next one that comes when none waits begins another. */
static uint64_t open_request, last_request;
static uint64_t told;

static ssize_t file_read(const struct fuse_request *request, char *to, size_t size);
static ssize_t file_write(const struct fuse_request *request);
static bool file_interrupt(uint64_t unique);

const struct pseudo_file template_request_file = {.read = file_read, .write = file_write, .interrupt = file_interrupt, .blocks = true};

void template_request_tell(void) {
  pthread_mutex_lock(&lock);
  uint64_t now = open_request;
  pthread_mutex_unlock(&lock);
  if (now == told) return;
  requests_tell(EVENT_TEMPLATE_REQUESTED, now ? now : told, now != 0);
  told = now;
}

void template_request_forget_told(void) { told = 0; }

void template_request_answer(uint64_t request, int error) {
  pthread_mutex_lock(&lock);
  if (request && request == open_request) {
    blocked_release(&writes, 0, error);
    open_request = told = 0;
  }
  pthread_mutex_unlock(&lock);
}

void template_request_become(enum becoming_kind kind) {
  pthread_mutex_lock(&lock);
  blocked_release(&writes, 0, kind == BECOME_TEMPLATE ? 0 : EIO);
  open_request = told = 0;
  pthread_mutex_unlock(&lock);
}

static ssize_t file_read(const struct fuse_request *request, char *to, size_t size) {
  (void)request, (void)to, (void)size;
  return 0;
}

static ssize_t file_write(const struct fuse_request *request) {
  bool one = request->length > 0 && request->length <= 2 && memcmp(request->data, "1\n", request->length) == 0;
  if (!one) return -EINVAL;
  pthread_mutex_lock(&lock);
  ssize_t result = blocked_add(&writes, request, 1, BLOCKED_MAX);
  if (result == ANSWERS_LATER && !open_request) open_request = ++last_request;
  pthread_mutex_unlock(&lock);
  requests_changed();
  return result;
}

static bool file_interrupt(uint64_t unique) {
  pthread_mutex_lock(&lock);
  bool found = blocked_interrupt(&writes, unique);
  if (found && blocked_count(&writes) == 0) open_request = 0;
  pthread_mutex_unlock(&lock);
  if (found) requests_changed();
  return found;
}
