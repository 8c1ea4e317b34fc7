#include "file-read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "file-record.h"
#include "hard-links.h"
#include "paths.h"

static int output;
static dev_t top_device;

static void read_entry(int directory, const char *name, const char *path);
static void read_directory(int directory, const char *name, const char *path);
static void put_entry(const struct entry *entry);
static void put_content(int directory, const char *name, const char *path, uint64_t size);
static bool has_no_size(const struct stat *status);
static void read_sizeless(int directory, const char *name, const char *path, struct entry *entry);
static uint64_t put_data(int fd, uint64_t from, uint64_t to);
static void put_record(uint8_t kind, const void *body, size_t length);
static void put_hole(uint64_t length);
static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* As docker cp: a link at the end of the path is taken itself; lstat(2) follows it if a slash or "/." comes after. */
int read_files(const char *path, int out) {
  output = out;
  const char *name = *path ? path : "/";
  struct stat status;
  if (fstatat(AT_FDCWD, name, &status, AT_SYMLINK_NOFOLLOW) != 0) fail("%s: %s", name, strerror(errno));
  top_device = status.st_dev;
  read_entry(AT_FDCWD, name, "");
  put_record(RECORD_DONE, NULL, 0);
  return 0;
}

static void read_entry(int directory, const char *name, const char *path) {
  static struct entry entry;
  struct stat status;
  if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT && *path) return; /* Gone since its directory was read. */
    fail("%s: %s", path, strerror(errno));
  }
  entry = (struct entry){.mode = status.st_mode & 07777, .uid = status.st_uid, .gid = status.st_gid};
  entry.mtime_ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
  snprintf(entry.path, sizeof entry.path, "%s", path);
  bool second = !S_ISDIR(status.st_mode) && status.st_nlink > 1 && hard_link_seen(&status, path, entry.target);
  if (second) {
    entry.type = ENTRY_HARDLINK;
    return put_entry(&entry);
  }
  switch (status.st_mode & S_IFMT) {
    case S_IFREG:
      entry.type = ENTRY_FILE;
      if (has_no_size(&status)) return read_sizeless(directory, name, path, &entry);
      entry.size = (uint64_t)status.st_size;
      put_entry(&entry);
      return put_content(directory, name, path, entry.size);
    case S_IFDIR:
      entry.type = ENTRY_DIRECTORY;
      put_entry(&entry);
      /* A mount inside the tree belongs to somebody else: procfs would have no end. */
      if (status.st_dev == top_device) read_directory(directory, name, path);
      return;
    case S_IFLNK: {
      ssize_t length = readlinkat(directory, name, entry.target, sizeof entry.target - 1);
      if (length <= 0) return;
      entry.target[length] = 0;
      entry.type = ENTRY_SYMLINK;
      return put_entry(&entry);
    }
    case S_IFIFO: entry.type = ENTRY_FIFO; return put_entry(&entry);
    case S_IFCHR:
    case S_IFBLK:
      entry.type = S_ISCHR(status.st_mode) ? ENTRY_CHAR : ENTRY_BLOCK;
      entry.major = major(status.st_rdev);
      entry.minor = minor(status.st_rdev);
      return put_entry(&entry);
    default: return; /* A socket is nothing without its process. */
  }
}

static void read_directory(int directory, const char *name, const char *path) {
  int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (*path ? O_NOFOLLOW : 0));
  DIR *opened = fd < 0 ? NULL : fdopendir(fd);
  if (!opened) fail("open directory %s: %s", path, strerror(errno));
  for (struct dirent *item; (item = readdir(opened));) {
    if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0) continue;
    size_t size = strlen(path) + strlen(item->d_name) + 2;
    if (size > PATH_BYTES_MAX) fail("%s/%s: path is too long", path, item->d_name);
    char *inner = need(malloc(size));
    snprintf(inner, size, "%s%s%s", path, *path ? "/" : "", item->d_name);
    read_entry(fd, item->d_name, inner);
    free(inner);
  }
  closedir(opened);
}

static void put_entry(const struct entry *entry) {
  static struct bytes record;
  record.length = 0;
  if (!entry_put(&record, entry)) fail("%s: path is too long", entry->path);
  if (!write_all(output, record.data, record.length)) _exit(1);
}

/* A file of procfs or sysfs says 0 or a page, whatever reading yields. So does an empty one, and one kept in its inode. */
static bool has_no_size(const struct stat *status) { return status->st_blocks == 0 && status->st_size <= 4096; }

/* Its size is known when it has been read. One that waits for something to tell has told all that there is now. */
static void read_sizeless(int directory, const char *name, const char *path, struct entry *entry) {
  enum { most = 1 << 20 };
  int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) fail("open %s: %s", *path ? path : name, strerror(errno));
  uint8_t *content = need(malloc(most));
  for (;;) {
    ssize_t got = read(fd, content + entry->size, most - entry->size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != EAGAIN) fail("read %s: %s", *path ? path : name, strerror(errno));
    if (got <= 0) break;
    entry->size += (uint64_t)got;
    if (entry->size == most) fail("read %s: it has no size, and more than %d bytes", *path ? path : name, most - 1);
  }
  close(fd);
  put_entry(entry);
  for (uint64_t at = 0; at < entry->size; at += RECORD_MAX) {
    uint64_t left = entry->size - at;
    put_record(RECORD_DATA, content + at, left < RECORD_MAX ? (size_t)left : RECORD_MAX);
  }
  free(content);
}

/* Exactly `size` bytes are promised: a file that shrinks meanwhile ends in zeros, one that grows is cut. */
static void put_content(int directory, const char *name, const char *path, uint64_t size) {
  if (size == 0) return;
  int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) fail("open %s: %s", *path ? path : name, strerror(errno));
  uint64_t at = 0;
  while (at < size) {
    off_t data = lseek(fd, (off_t)at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    uint64_t start = data < 0 ? at : (uint64_t)data;
    if (start >= size) break;
    off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
    uint64_t end = hole < 0 || (uint64_t)hole > size ? size : (uint64_t)hole;
    if (start > at) put_hole(start - at);
    at = put_data(fd, start, end);
    if (at < end) break;
  }
  if (at < size) put_hole(size - at);
  close(fd);
}

static uint64_t put_data(int fd, uint64_t from, uint64_t to) {
  static uint8_t buffer[RECORD_MAX];
  while (from < to) {
    size_t want = to - from < sizeof buffer ? (size_t)(to - from) : sizeof buffer;
    ssize_t got = pread(fd, buffer, want, (off_t)from);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read a file: %s", strerror(errno));
    if (got == 0) break;
    put_record(RECORD_DATA, buffer, (size_t)got);
    from += (uint64_t)got;
  }
  return from;
}

static void put_hole(uint64_t length) {
  uint8_t number[8];
  put64(number, length);
  put_record(RECORD_HOLE, number, sizeof number);
}

static void put_record(uint8_t kind, const void *body, size_t length) {
  uint8_t head[RECORD_HEAD] = {kind};
  put32(head + 1, (uint32_t)length);
  /* A broken pipe: the host wants no more. */
  struct iovec parts[2] = {{head, sizeof head}, {(void *)(uintptr_t)body, length}};
  ssize_t put = writev(output, parts, 2);
  if (put < (ssize_t)sizeof head) _exit(1);
  size_t done = (size_t)put - sizeof head;
  if (done < length && !write_all(output, (const uint8_t *)body + done, length - done)) _exit(1);
}

static void fail(const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  put_record(RECORD_FAILED, text, strlen(text));
  _exit(1);
}
