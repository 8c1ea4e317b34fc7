#include "fuse-server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pseudo-tree.h"

/* What is above tells inodes of one node apart. */
enum { NODE_BITS = 44 };
#define NODE_MASK (((uint64_t)1 << NODE_BITS) - 1)
/* The oldest protocol that has all we use, and is spoken by every kernel since 5.10. Names and modes never change. */
enum { MINOR = 31, FOREVER_S = 1 << 30, STACK = 128 << 10, ANSWER_MAX = 4096, BLOCK = 4096 };

static int device = -1;

static void *serve(void *unused);
static void init(const struct fuse_request *request);
static void lookup(const struct fuse_request *request);
static void getattr(const struct fuse_request *request, const struct pseudo_node *node);
static void setattr(const struct fuse_request *request, const struct pseudo_node *node);
static void open_node(const struct fuse_request *request, const struct pseudo_node *node);
static void read_file(const struct fuse_request *request, const struct pseudo_node *node);
static void read_directory(const struct fuse_request *request, const struct pseudo_node *node);
static size_t put_name(char *to, size_t room, uint64_t number, uint64_t next, const char *name, mode_t mode);
static void write_file(const struct fuse_request *request, const struct pseudo_node *node);
static void poll_file(const struct fuse_request *request, const struct pseudo_node *node);
static void statfs_all(const struct fuse_request *request);
static uint64_t validity(uint64_t number, const struct pseudo_node *node);
static struct fuse_attr attributes(uint64_t number, const struct pseudo_node *node);
static void send(int32_t error, uint64_t unique, const void *data, size_t length);

bool fuse_serve(int fd) {
  sigset_t all, before;
  pthread_attr_t attributes_of_thread;
  pthread_t thread;
  fuse_set_device(fd);
  sigfillset(&all);
  if (pthread_attr_init(&attributes_of_thread) != 0) return false;
  pthread_attr_setstacksize(&attributes_of_thread, STACK);
  pthread_attr_setdetachstate(&attributes_of_thread, PTHREAD_CREATE_DETACHED);
  /* Signals are for the loop's signalfd: this thread takes none. */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool ok = pthread_create(&thread, &attributes_of_thread, serve, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes_of_thread);
  return ok;
}

void fuse_set_device(int fd) { device = fd; }

void fuse_answer(uint64_t unique, int error, const void *data, size_t length) {
  send(-error, unique, data, error ? 0 : length);
}

void fuse_answer_write(uint64_t unique, ssize_t result) {
  struct fuse_write_out out = {.size = result < 0 ? 0 : (uint32_t)result};
  fuse_answer(unique, result < 0 ? (int)-result : 0, &out, sizeof out);
}

void fuse_wake_poll(uint64_t poll_handle) {
  struct fuse_notify_poll_wakeup_out out = {.kh = poll_handle};
  send(FUSE_NOTIFY_POLL, 0, &out, sizeof out);
}

/* Ends with the mount (ENODEV). A request that its process gave up meanwhile reads as ENOENT (fuse_dev_do_read). */
static void *serve(void *unused) {
  static _Alignas(8) uint8_t request[FUSE_REQUEST_MAX];
  for (;;) {
    ssize_t got = read(device, request, sizeof request);
    if (got > 0) fuse_handle(request, (size_t)got);
    else if (got == 0 || (errno != EINTR && errno != EAGAIN && errno != ENOENT)) return unused;
  }
}

void fuse_handle(const uint8_t *bytes, size_t length) {
  struct fuse_request request;
  int error = fuse_request_parse(bytes, length, &request);
  if (error == EIO) return;
  if (error) return fuse_answer(request.unique, error, NULL, 0);
  request.node &= NODE_MASK;
  struct pseudo_node found, *node = pseudo_node(request.node, &found) ? &found : NULL;
  switch (request.opcode) {
    case FUSE_INIT: return init(&request);
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_DESTROY: return;
    /* A killed writer or reader waits, unkillable, for its answer (request_wait_answer): this gives it. Itself it needs none. */
    case FUSE_INTERRUPT: return pseudo_interrupt(request.interrupted);
    case FUSE_STATFS: return statfs_all(&request);
    default: break;
  }
  if (!node) return fuse_answer(request.unique, ESTALE, NULL, 0);
  switch (request.opcode) {
    case FUSE_LOOKUP: return lookup(&request);
    case FUSE_GETATTR: return getattr(&request, node);
    case FUSE_SETATTR: return setattr(&request, node);
    case FUSE_OPEN:
    case FUSE_OPENDIR: return open_node(&request, node);
    case FUSE_READ: return read_file(&request, node);
    case FUSE_READDIR: return read_directory(&request, node);
    case FUSE_WRITE: return write_file(&request, node);
    case FUSE_POLL: return poll_file(&request, node);
    case FUSE_RELEASE:
      if (node->file && node->file->release) node->file->release(request.handle);
      return fuse_answer(request.unique, 0, NULL, 0);
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH:
    case FUSE_FSYNC:
    case FUSE_FSYNCDIR: return fuse_answer(request.unique, 0, NULL, 0);
    case FUSE_CREATE:
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_SYMLINK:
    case FUSE_LINK:
    case FUSE_UNLINK:
    case FUSE_RMDIR:
    case FUSE_RENAME:
    case FUSE_RENAME2: return fuse_answer(request.unique, EPERM, NULL, 0);
    default: return fuse_answer(request.unique, ENOSYS, NULL, 0); /* Not asked again. */
  }
}

static void init(const struct fuse_request *request) {
  if (request->version[0] < FUSE_KERNEL_VERSION) return fuse_answer(request->unique, EPROTO, NULL, 0);
  struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = MINOR, .max_write = FUSE_WRITE_MAX, .time_gran = 1};
  fuse_answer(request->unique, 0, &out, sizeof out);
}

static void lookup(const struct fuse_request *request) {
  uint64_t number = pseudo_lookup(request->node, request->name);
  struct pseudo_node node;
  if (!number || !pseudo_node(number, &node)) return fuse_answer(request->unique, ENOENT, NULL, 0);
  static uint64_t fresh;
  struct fuse_entry_out out = {.nodeid = number, .attr = attributes(number, &node)};
  if (node.file && node.file->blocks) out.nodeid |= ++fresh << NODE_BITS;
  out.entry_valid = out.attr_valid = validity(number, &node);
  fuse_answer(request->unique, 0, &out, sizeof out);
}

static void getattr(const struct fuse_request *request, const struct pseudo_node *node) {
  struct fuse_attr_out out = {.attr_valid = validity(request->node, node), .attr = attributes(request->node, node)};
  fuse_answer(request->unique, 0, &out, sizeof out);
}

/* A shell's ">" truncates, touch(1) sets times: both change nothing. */
static void setattr(const struct fuse_request *request, const struct pseudo_node *node) {
  if (request->valid & (FATTR_MODE | FATTR_UID | FATTR_GID)) return fuse_answer(request->unique, EPERM, NULL, 0);
  getattr(request, node);
}

static void open_node(const struct fuse_request *request, const struct pseudo_node *node) {
  struct fuse_open_out out = {0};
  if (!node->file) return fuse_answer(request->unique, 0, &out, sizeof out);
  if ((request->flags & O_ACCMODE) != O_RDONLY && !node->file->write)
    return fuse_answer(request->unique, EACCES, NULL, 0);
  int result = node->file->open ? node->file->open(&out.fh) : 0;
  out.open_flags = FOPEN_DIRECT_IO | (node->file->stream ? FOPEN_STREAM | FOPEN_NONSEEKABLE : 0);
  fuse_answer(request->unique, -result, &out, sizeof out);
}

static void read_file(const struct fuse_request *request, const struct pseudo_node *node) {
  static char answer[ANSWER_MAX];
  if (!node->file) return fuse_answer(request->unique, EISDIR, NULL, 0);
  ssize_t got = node->file->read(request, answer, request->size < sizeof answer ? request->size : sizeof answer);
  if (got == ANSWERS_LATER) return;
  fuse_answer(request->unique, got < 0 ? (int)-got : 0, answer, got < 0 ? 0 : (size_t)got);
}

/* An entry's position is where the one after it begins: 1 and 2 are behind "." and "..", then the number of the node. */
static void read_directory(const struct fuse_request *request, const struct pseudo_node *node) {
  static char answer[ANSWER_MAX];
  size_t room = request->size < sizeof answer ? request->size : sizeof answer, used = 0;
  if (node->file) return fuse_answer(request->unique, ENOTDIR, NULL, 0);
  uint64_t at = request->offset;
  if (at == 0 && (used += put_name(answer, room, request->node, 1, ".", S_IFDIR)) > 0) at = 1;
  size_t put = at == 1 ? put_name(answer + used, room - used, node->parent, 2, "..", S_IFDIR) : 0;
  if (put > 0) at = 2;
  used += put;
  for (uint64_t number = at - 1; at >= 2 && (number = pseudo_next(request->node, number));) {
    struct pseudo_node entry;
    if (!pseudo_node(number, &entry)) continue;
    put = put_name(answer + used, room - used, number, number + 1, entry.name, entry.mode);
    if (put == 0) break;
    used += put;
  }
  fuse_answer(request->unique, 0, answer, used);
}

/* 0 if it does not fit. */
static size_t put_name(char *to, size_t room, uint64_t number, uint64_t next, const char *name, mode_t mode) {
  size_t length = strlen(name), whole = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + length);
  if (whole > room) return 0;
  struct fuse_dirent entry = {.ino = number, .off = next, .namelen = (uint32_t)length, .type = (mode & S_IFMT) >> 12};
  memset(to, 0, whole);
  memcpy(to, &entry, FUSE_NAME_OFFSET);
  memcpy(to + FUSE_NAME_OFFSET, name, length);
  return whole;
}

static void write_file(const struct fuse_request *request, const struct pseudo_node *node) {
  if (!node->file || !node->file->write) return fuse_answer(request->unique, EBADF, NULL, 0);
  ssize_t put = node->file->write(request);
  if (put != ANSWERS_LATER) fuse_answer_write(request->unique, put);
}

/* ENOSYS would turn polling off for every file of the mount. */
static void poll_file(const struct fuse_request *request, const struct pseudo_node *node) {
  struct fuse_poll_out out = {.revents = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM};
  if (node->file && node->file->poll) out.revents = node->file->poll(request);
  fuse_answer(request->unique, 0, &out, sizeof out);
}

static void statfs_all(const struct fuse_request *request) {
  struct fuse_statfs_out out = {.st = {.bsize = BLOCK, .frsize = BLOCK, .namelen = 255}};
  fuse_answer(request->unique, 0, &out, sizeof out);
}

/* The name too: its lookup at each open brings the size of that moment, or that it is there no more. */
static uint64_t validity(uint64_t number, const struct pseudo_node *node) {
  return number >= CHILD_NODES || (node->file && (node->file->size || node->file->blocks)) ? 0 : FOREVER_S;
}

static struct fuse_attr attributes(uint64_t number, const struct pseudo_node *node) {
  struct fuse_attr attr = {.ino = number, .mode = node->mode, .nlink = node->file ? 1 : 2, .blksize = BLOCK};
  if (node->file && node->file->size) attr.size = node->file->size(number);
  return attr;
}

/* One write is one answer. Who asked may be gone by now: then there is nothing to do. */
static void send(int32_t error, uint64_t unique, const void *data, size_t length) {
  struct fuse_out_header head = {.len = (uint32_t)(sizeof head + length), .error = error, .unique = unique};
  struct iovec parts[2] = {{&head, sizeof head}, {(void *)(uintptr_t)data, length}};
  ssize_t put = writev(device, parts, length > 0 ? 2 : 1);
  (void)put;
}
