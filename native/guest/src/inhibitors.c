#include "inhibitors.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "event-loop.h"
#include "events.h"
#include "fields.h"

/* A program that counts up and down in a loop must not flood the host. */
enum { TEXT_MAX = 64, APART_US = 10000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t count;
static uint64_t told;
static int64_t told_at_us;
static struct source changes = {.fd = -1};

static bool parse_number(const char *text, size_t length, uint64_t *number, int *error);
static ssize_t file_read(const struct fuse_request *request, char *to, size_t size);
static uint64_t file_size(uint64_t node);
static size_t format(char text[32]);
static ssize_t file_write(const struct fuse_request *request);
static void changed(struct source *source, uint32_t events);
static void tell(void);
static struct timer later = {.fire = tell};

const struct pseudo_file inhibitors_file = {.read = file_read, .write = file_write, .size = file_size};

uint64_t inhibitors_count(void) {
  pthread_mutex_lock(&lock);
  uint64_t now = count;
  pthread_mutex_unlock(&lock);
  return now;
}

int inhibitors_apply(const char *text, size_t length) {
  if (length > 0 && text[length - 1] == '\n') length--;
  if (length == 0 || length > TEXT_MAX || !strchr("+-=", *text) || !*text) return EINVAL;
  uint64_t number = 1;
  int error = 0;
  bool bare = length == 1 && *text != '=';
  if (!bare && !parse_number(text + 1, length - 1, &number, &error)) return error;
  pthread_mutex_lock(&lock);
  if (*text == '=') count = number;
  else if (*text == '+' && number <= UINT64_MAX - count) count += number;
  else if (*text == '-' && number <= count) count -= number;
  else error = ERANGE;
  pthread_mutex_unlock(&lock);
  return error;
}

void inhibitors_watch(void) {
  changes = (struct source){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = changed};
  if (changes.fd < 0 || !loop_watch(&changes)) abort();
}

static bool parse_number(const char *text, size_t length, uint64_t *number, int *error) {
  *number = 0;
  *error = EINVAL;
  if (length == 0) return false;
  for (size_t i = 0; i < length; i++)
    if (text[i] < '0' || text[i] > '9') return false;
  *error = ERANGE;
  for (size_t i = 0; i < length; i++) {
    uint64_t digit = (uint64_t)(text[i] - '0');
    if (*number > (UINT64_MAX - digit) / 10) return false;
    *number = *number * 10 + digit;
  }
  *error = 0;
  return true;
}

static ssize_t file_read(const struct fuse_request *request, char *to, size_t size) {
  char text[32];
  return fuse_slice(request, text, format(text), to, size);
}

static uint64_t file_size(uint64_t node) {
  (void)node;
  char text[32];
  return format(text);
}

static size_t format(char text[32]) {
  return (size_t)snprintf(text, 32, "=%llu", (unsigned long long)inhibitors_count());
}

static ssize_t file_write(const struct fuse_request *request) {
  int error = inhibitors_apply((const char *)request->data, request->length);
  if (error) return -error;
  static const uint64_t one = 1;
  if (changes.fd >= 0 && write(changes.fd, &one, sizeof one) < 0) return -EIO;
  return request->length;
}

static void changed(struct source *source, uint32_t events) {
  (void)events;
  uint64_t times;
  if (read(source->fd, &times, sizeof times) < 0) return; /* Only ready to be written: it was before. */
  int64_t since_us = monotonic_us() - told_at_us;
  if (since_us >= APART_US) return tell();
  loop_timer(&later, APART_US - since_us);
}

static void tell(void) {
  uint64_t now = inhibitors_count();
  if (now == told) return;
  told = now;
  told_at_us = monotonic_us();
  struct bytes fields = {0};
  field_put_u64(&fields, KEY_COUNT, now);
  events_replace(EVENT_INHIBITED, &fields);
  bytes_free(&fields);
}
