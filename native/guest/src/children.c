#include "children.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "blocked-writes.h"
#include "config-message.h"
#include "fuse-server.h"

enum { CHILDREN = 256, POLLS = 64, LINE_BYTES = 64 };
/* A node's number is CHILD_NODES + serial * 8 + its place. */
enum place { DIRECTORY, SNAPSHOT, CREATION_TIME, STATUS, WAIT, PLACES };
enum { PER_CHILD = 8 };

struct child {
  uint64_t serial; /* 0: free. Never used again, so that a file of one that is gone is not taken for another's. */
  char id[INSTANCE_ID_LENGTH + 1], snapshot[INSTANCE_ID_LENGTH + 1];
  uint64_t created_s;
  enum child_status status;
  uint32_t exit_code;
};

struct poll_waiter {
  uint64_t handle, poll_handle, serial; /* `serial` 0: free */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct child children[CHILDREN];
static uint64_t last_serial, last_handle;
static struct blocked_writes waits;
static struct poll_waiter polls[POLLS];

static ssize_t file_read(const struct fuse_request *request, char *to, size_t size);
static uint64_t file_size(uint64_t node);
static int wait_open(uint64_t *handle);
static void wait_release(uint64_t handle);
static ssize_t wait_write(const struct fuse_request *request);
static uint32_t wait_poll(const struct fuse_request *request);
static bool wait_interrupt(uint64_t unique);
static int line_of(uint64_t node, char line[LINE_BYTES]);
static int format(const struct child *child, uint64_t place, char line[LINE_BYTES]);
static struct child *by_serial(uint64_t serial);
static struct child *by_id(const char *id);
static struct child *by_node(uint64_t number);
static struct child *place_for_one(void);
static void forget(struct child *child);
static void wake(uint64_t serial);

static const struct pseudo_file text_file = {.read = file_read, .size = file_size};
static const struct pseudo_file wait_file = {
    .open = wait_open,
    .release = wait_release,
    .read = file_read,
    .size = file_size,
    .write = wait_write,
    .poll = wait_poll,
    .interrupt = wait_interrupt,
    .blocks = true,
};

static const struct {
  const char *name;
  mode_t mode;
  const struct pseudo_file *file;
} places[PLACES] = {
    [DIRECTORY] = {"", S_IFDIR | 0555, NULL},
    [SNAPSHOT] = {"snapshot", S_IFREG | 0444, &text_file},
    [CREATION_TIME] = {"creation_time", S_IFREG | 0444, &text_file},
    [STATUS] = {"status", S_IFREG | 0444, &text_file},
    [WAIT] = {"wait", S_IFREG | 0666, &wait_file},
};

static const char *const status_names[] = {
    [CHILD_STARTING] = "Starting", [CHILD_RUNNING] = "Running", [CHILD_DRAINING] = "Draining",
    [CHILD_STOPPING] = "Stopping", [CHILD_STOPPED] = "Stopped", [CHILD_TEMPLATE] = "Template",
};

void children_add(const char *id, const char *snapshot, uint64_t created_s) {
  pthread_mutex_lock(&lock);
  if (!by_id(id)) {
    struct child *child = place_for_one();
    forget(child);
    *child = (struct child){.serial = ++last_serial, .created_s = created_s, .status = CHILD_STARTING};
    snprintf(child->id, sizeof child->id, "%s", id);
    snprintf(child->snapshot, sizeof child->snapshot, "%s", snapshot);
  }
  pthread_mutex_unlock(&lock);
}

bool children_have_room(void) {
  bool room = false;
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < CHILDREN && !room; i++) room = !children[i].serial || children[i].status == CHILD_STOPPED;
  pthread_mutex_unlock(&lock);
  return room;
}

void children_change(const char *id, enum child_status status, uint32_t exit_code) {
  pthread_mutex_lock(&lock);
  struct child *child = by_id(id);
  if (child) {
    child->status = status;
    child->exit_code = exit_code;
    if (status == CHILD_STOPPED) {
      blocked_release(&waits, child->serial, 0);
      wake(child->serial);
    }
  }
  pthread_mutex_unlock(&lock);
}

void children_clear(void) {
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < CHILDREN; i++) forget(&children[i]);
  pthread_mutex_unlock(&lock);
}

bool child_node(uint64_t number, struct pseudo_node *node) {
  uint64_t at = number % PER_CHILD;
  if (at >= PLACES) return false;
  pthread_mutex_lock(&lock);
  const struct child *child = by_node(number);
  if (child) {
    *node = (struct pseudo_node){.parent = at ? number - at : VM_NODE, .mode = places[at].mode, .file = places[at].file};
    snprintf(node->name, sizeof node->name, "%s", at ? places[at].name : child->id);
  }
  pthread_mutex_unlock(&lock);
  return child != NULL;
}

uint64_t child_lookup(uint64_t parent, const char *name) {
  uint64_t number = 0;
  pthread_mutex_lock(&lock);
  const struct child *child = parent == VM_NODE ? by_id(name) : by_node(parent);
  if (child && parent == VM_NODE) number = CHILD_NODES + child->serial * PER_CHILD;
  for (uint64_t at = 1; child && parent != VM_NODE && parent % PER_CHILD == 0 && at < PLACES; at++)
    if (strcmp(places[at].name, name) == 0) number = parent + at;
  pthread_mutex_unlock(&lock);
  return number;
}

uint64_t child_next(uint64_t parent, uint64_t after) {
  uint64_t number = 0;
  pthread_mutex_lock(&lock);
  if (parent == VM_NODE) {
    uint64_t serial = after < CHILD_NODES ? 0 : (after - CHILD_NODES) / PER_CHILD, next = 0;
    for (size_t i = 0; i < CHILDREN; i++)
      if (children[i].serial > serial && (!next || children[i].serial < next)) next = children[i].serial;
    if (next) number = CHILD_NODES + next * PER_CHILD;
  } else if (by_node(parent) && parent % PER_CHILD == 0) {
    uint64_t at = after > parent ? after - parent + 1 : 1;
    if (at < PLACES) number = parent + at;
  }
  pthread_mutex_unlock(&lock);
  return number;
}

bool child_interrupt(uint64_t unique) { return wait_interrupt(unique); }

static ssize_t file_read(const struct fuse_request *request, char *to, size_t size) {
  char line[LINE_BYTES];
  int length = line_of(request->node, line);
  return length < 0 ? length : fuse_slice(request, line, (size_t)length, to, size);
}

static uint64_t file_size(uint64_t node) {
  char line[LINE_BYTES];
  int length = line_of(node, line);
  return length < 0 ? 0 : (uint64_t)length;
}

static int wait_open(uint64_t *handle) {
  pthread_mutex_lock(&lock);
  *handle = ++last_handle;
  pthread_mutex_unlock(&lock);
  return 0;
}

static void wait_release(uint64_t handle) {
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < POLLS; i++)
    if (polls[i].handle == handle) polls[i].serial = 0;
  pthread_mutex_unlock(&lock);
}

static ssize_t wait_write(const struct fuse_request *request) {
  ssize_t result = -ESTALE;
  pthread_mutex_lock(&lock);
  const struct child *child = by_node(request->node);
  if (child && child->status == CHILD_STOPPED) result = (ssize_t)request->length;
  else if (child) result = blocked_add(&waits, request, child->serial, BLOCKED_MAX);
  pthread_mutex_unlock(&lock);
  return result;
}

static uint32_t wait_poll(const struct fuse_request *request) {
  uint32_t ready = POLLERR;
  pthread_mutex_lock(&lock);
  const struct child *child = by_node(request->node);
  if (child) ready = POLLOUT | POLLWRNORM;
  if (child && child->status == CHILD_STOPPED) {
    ready |= POLLIN | POLLRDNORM;
  } else if (child && request->flags & FUSE_POLL_SCHEDULE_NOTIFY) {
    struct poll_waiter *mine = NULL;
    for (struct poll_waiter *poll = polls; poll < polls + POLLS; poll++)
      if (!poll->serial ? !mine : poll->handle == request->handle) mine = poll;
    if (mine) *mine = (struct poll_waiter){request->handle, request->poll_handle, child->serial};
    else ready |= POLLERR;
  }
  pthread_mutex_unlock(&lock);
  return ready;
}

static bool wait_interrupt(uint64_t unique) {
  pthread_mutex_lock(&lock);
  bool found = blocked_interrupt(&waits, unique);
  pthread_mutex_unlock(&lock);
  return found;
}

/* Its length, or an errno negated. */
static int line_of(uint64_t node, char line[LINE_BYTES]) {
  pthread_mutex_lock(&lock);
  const struct child *child = by_node(node);
  int length = child ? format(child, node % PER_CHILD, line) : -ESTALE;
  pthread_mutex_unlock(&lock);
  return length;
}

static int format(const struct child *child, uint64_t place, char line[LINE_BYTES]) {
  switch (place) {
    case SNAPSHOT: return snprintf(line, LINE_BYTES, "%s\n", child->snapshot);
    case CREATION_TIME: return snprintf(line, LINE_BYTES, "%llu\n", (unsigned long long)child->created_s);
    case STATUS: return snprintf(line, LINE_BYTES, "%s\n", status_names[child->status]);
    default: return child->status == CHILD_STOPPED ? snprintf(line, LINE_BYTES, "%u\n", child->exit_code) : -EAGAIN;
  }
}

static struct child *by_serial(uint64_t serial) {
  for (struct child *child = children; serial && child < children + CHILDREN; child++)
    if (child->serial == serial) return child;
  return NULL;
}

static struct child *by_id(const char *id) {
  for (struct child *child = children; child < children + CHILDREN; child++)
    if (child->serial && strcmp(child->id, id) == 0) return child;
  return NULL;
}

static struct child *by_node(uint64_t number) {
  return number < CHILD_NODES ? NULL : by_serial((number - CHILD_NODES) / PER_CHILD);
}

/* A free one, else the oldest that has stopped, else the oldest. */
static struct child *place_for_one(void) {
  struct child *stopped = NULL, *oldest = NULL;
  for (struct child *child = children; child < children + CHILDREN; child++) {
    if (!child->serial) return child;
    if (!oldest || child->serial < oldest->serial) oldest = child;
    if (child->status == CHILD_STOPPED && (!stopped || child->serial < stopped->serial)) stopped = child;
  }
  return stopped ? stopped : oldest;
}

static void forget(struct child *child) {
  if (!child->serial) return;
  blocked_release(&waits, child->serial, ESTALE);
  wake(child->serial);
  child->serial = 0;
}

static void wake(uint64_t serial) {
  for (struct poll_waiter *poll = polls; poll < polls + POLLS; poll++) {
    if (poll->serial != serial) continue;
    fuse_wake_poll(poll->poll_handle);
    poll->serial = 0;
  }
}
