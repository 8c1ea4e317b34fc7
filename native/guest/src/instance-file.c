#include "instance-file.h"

#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char text[512];
static size_t length;

static ssize_t file_read(const struct fuse_request *request, char *to, size_t size);
static uint64_t file_size(uint64_t node);

const struct pseudo_file instance_file = {.read = file_read, .size = file_size};

/* A shell may read it with "." */
void instance_file_set(const struct self *self) {
  const char *id = self->instance_id ? self->instance_id : "", *name = self->instance_name ? self->instance_name : "";
  pthread_mutex_lock(&lock);
  length = (size_t)snprintf(text, sizeof text, "UUID=%s\nNAME=%s\n", id, name);
  pthread_mutex_unlock(&lock);
}

static ssize_t file_read(const struct fuse_request *request, char *to, size_t size) {
  pthread_mutex_lock(&lock);
  ssize_t got = fuse_slice(request, text, length, to, size);
  pthread_mutex_unlock(&lock);
  return got;
}

static uint64_t file_size(uint64_t node) {
  (void)node;
  pthread_mutex_lock(&lock);
  uint64_t now = length;
  pthread_mutex_unlock(&lock);
  return now;
}
