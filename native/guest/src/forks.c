#include "forks.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "blocked-writes.h"
#include "children.h"
#include "config-message.h"
#include "requests.h"

enum { QUEUE = 16, RESULTS = 64 };

static const char zeros[] = "00000000-0000-0000-0000-000000000000";

/* What a thread's last fork came to; of the many that forked once, the oldest are forgotten. */
struct result {
  uint32_t thread;
  char id[INSTANCE_ID_LENGTH + 1];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct blocked_writes writes;
/* Each write is a request of its own. The open one stays open, also without its writer, until the host has answered. */
static uint64_t open_request, last_request;
static uint64_t told;
static struct result results[RESULTS];
static size_t next_result;

static ssize_t file_read(const struct fuse_request *request, char *to, size_t size);
static uint64_t file_size(uint64_t node);
static ssize_t file_write(const struct fuse_request *request);
static bool file_interrupt(uint64_t unique);
static struct result *result_of(uint32_t thread);
static void keep_result(uint32_t thread, const char *id);

const struct pseudo_file forks_file = {
    .read = file_read, .write = file_write, .size = file_size, .interrupt = file_interrupt, .blocks = true};

void forks_tell(void) {
  pthread_mutex_lock(&lock);
  if (!open_request) open_request = blocked_first(&writes);
  uint64_t now = open_request;
  pthread_mutex_unlock(&lock);
  if (now && now != told) requests_tell(EVENT_FORK_REQUESTED, now, true);
  told = now;
}

void forks_forget_told(void) { told = 0; }

void forks_answer(uint64_t request, int error, const char *child) {
  pthread_mutex_lock(&lock);
  if (request && request == open_request) {
    struct blocked_write *write = blocked_find(&writes, request);
    if (write && !error) keep_result(write->thread, child);
    blocked_release(&writes, request, error);
    open_request = 0;
  }
  pthread_mutex_unlock(&lock);
  forks_tell();
}

/* What was asked for by the machine before is answered there; only what made this one returns here. */
void forks_become(enum becoming_kind kind) {
  pthread_mutex_lock(&lock);
  if (kind != BECOME_REWIND) memset(results, 0, sizeof results);
  struct blocked_write *write = kind == BECOME_FORK && open_request ? blocked_find(&writes, open_request) : NULL;
  if (write) {
    keep_result(write->thread, zeros);
    blocked_release(&writes, open_request, 0);
  }
  blocked_release(&writes, 0, EIO);
  open_request = told = 0;
  pthread_mutex_unlock(&lock);
  if (kind != BECOME_REWIND) children_clear();
}

static ssize_t file_read(const struct fuse_request *request, char *to, size_t size) {
  char line[INSTANCE_ID_LENGTH + 2];
  int length = 0;
  pthread_mutex_lock(&lock);
  const struct result *result = result_of(request->thread);
  if (result) length = snprintf(line, sizeof line, "%s\n", result->id);
  pthread_mutex_unlock(&lock);
  return fuse_slice(request, line, (size_t)length, to, size);
}

/* Who asks is not known here. */
static uint64_t file_size(uint64_t node) {
  (void)node;
  return INSTANCE_ID_LENGTH + 1;
}

static ssize_t file_write(const struct fuse_request *request) {
  if (!children_have_room()) return -EAGAIN;
  pthread_mutex_lock(&lock);
  struct result *result = result_of(request->thread);
  if (result) *result = (struct result){0};
  ssize_t got = blocked_add(&writes, request, last_request + 1, QUEUE);
  if (got == ANSWERS_LATER) last_request++;
  pthread_mutex_unlock(&lock);
  requests_changed();
  return got;
}

static bool file_interrupt(uint64_t unique) {
  pthread_mutex_lock(&lock);
  bool found = blocked_interrupt(&writes, unique);
  pthread_mutex_unlock(&lock);
  return found;
}

static struct result *result_of(uint32_t thread) {
  for (struct result *result = results; thread && result < results + RESULTS; result++)
    if (result->thread == thread) return result;
  return NULL;
}

static void keep_result(uint32_t thread, const char *id) {
  struct result *result = result_of(thread);
  if (!result) result = &results[next_result++ % RESULTS];
  result->thread = thread;
  snprintf(result->id, sizeof result->id, "%s", id);
}
