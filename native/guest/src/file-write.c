/*
 * Files are written aside and renamed, so that a running program sees the old file or the new one, and a broken transfer
 * leaves none half written. Directories get their times last, as their content comes after them.
 */
#include "file-write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "file-record.h"
#include "paths.h"
#include "write-target.h"

struct late_time {
  struct late_time *next;
  int64_t mtime_ms;
  char path[];
};

static int input, output;
static struct late_time *late_times;
static char aside[PATH_BYTES_MAX + 64];

static bool next_record(uint8_t *kind, uint8_t *body, size_t *length);
static void make(const struct entry *entry);
static void make_file(const struct entry *entry, const char *path);
static void take_content(int fd, const struct entry *entry);
static void make_directory(const struct entry *entry, const char *path);
static void make_way(const char *path);
static void set_owner_and_mode(const struct entry *entry, const char *path);
static void set_time(const char *path, int64_t mtime_ms);
static void check(bool ok, const char *what, const char *path);
static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void answer(uint8_t kind, const char *text);

int write_files(const char *path, int in, int out) {
  static uint8_t body[RECORD_MAX];
  static struct entry entry;
  uint8_t kind;
  size_t length;
  input = in;
  output = out;
  umask(0);
  const char *reason = write_target_set(path);
  if (reason) fail("%s: %s", path, reason);
  while (next_record(&kind, body, &length)) {
    if (kind == RECORD_DONE) {
      for (struct late_time *late = late_times; late; late = late->next) set_time(late->path, late->mtime_ms);
      answer(RECORD_DONE, "");
      return 0;
    }
    if (kind != RECORD_ENTRY || !entry_parse(body, length, &entry)) fail("malformed file entry");
    make(&entry);
  }
  return 1;
}

static bool next_record(uint8_t *kind, uint8_t *body, size_t *length) {
  uint8_t head[RECORD_HEAD];
  if (!read_all(input, head, sizeof head)) return false;
  *kind = head[0];
  *length = get32(head + 1);
  if (*length > RECORD_MAX) fail("file record of %zu bytes is over the limit", *length);
  return read_all(input, body, *length);
}

static void make(const struct entry *entry) {
  static char path[PATH_BYTES_MAX + 1], first[PATH_BYTES_MAX + 1];
  if (!write_target_path(entry->path, path)) fail("%s: path is too long, or not below the copied one", entry->path);
  if (entry->type == ENTRY_DIRECTORY) return make_directory(entry, path);
  make_way(path);
  if (entry->type == ENTRY_FILE) return make_file(entry, path);
  switch (entry->type) {
    case ENTRY_SYMLINK: check(symlink(entry->target, path) == 0, "make link", path); break;
    case ENTRY_HARDLINK:
      if (!write_target_path(entry->target, first)) fail("%s: link to a path not below the copied one", entry->path);
      return check(linkat(AT_FDCWD, first, AT_FDCWD, path, 0) == 0, "make hard link", path);
    case ENTRY_FIFO: check(mkfifo(path, 0600) == 0, "make fifo", path); break;
    case ENTRY_CHAR:
    case ENTRY_BLOCK: {
      mode_t kind = entry->type == ENTRY_CHAR ? S_IFCHR : S_IFBLK;
      check(mknod(path, kind | 0600, makedev(entry->major, entry->minor)) == 0, "make device", path);
      break;
    }
    case ENTRY_FILE:
    case ENTRY_DIRECTORY: break;
  }
  set_owner_and_mode(entry, path);
  set_time(path, entry->mtime_ms);
}

/* Whoever is there and is no directory goes away, and parents that are missing come. */
static void make_way(const char *path) {
  struct stat status;
  if (lstat(path, &status) == 0) {
    if (S_ISDIR(status.st_mode)) fail("%s: cannot replace a directory by something else", path);
    check(unlink(path) == 0, "replace", path);
    return;
  }
  char *slash = strrchr(path, '/');
  if (errno != ENOENT || !slash || slash == path) return;
  *slash = 0;
  bool made = make_directories(AT_FDCWD, path, 0755);
  *slash = '/';
  check(made, "make the directory of", path);
}

static void make_file(const struct entry *entry, const char *path) {
  const char *slash = strrchr(path, '/');
  snprintf(aside, sizeof aside, "%.*s/.uni-copy-%d", slash ? (int)(slash - path) : 1, slash ? path : ".", (int)getpid());
  unlink(aside);
  int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  check(fd >= 0, "create", path);
  take_content(fd, entry);
  close(fd);
  set_owner_and_mode(entry, aside);
  set_time(aside, entry->mtime_ms);
  check(rename(aside, path) == 0, "put in place", path);
  aside[0] = 0;
}

static void take_content(int fd, const struct entry *entry) {
  static uint8_t body[RECORD_MAX];
  uint64_t at = 0;
  uint8_t kind;
  size_t length;
  while (at < entry->size) {
    if (!next_record(&kind, body, &length)) {
      unlink(aside);
      _exit(1);
    }
    uint64_t piece = kind == RECORD_DATA ? length : kind == RECORD_HOLE && length == 8 ? get64(body) : 0;
    if (piece == 0 || piece > entry->size - at) fail("%s: malformed content", entry->path);
    bool zeros = kind == RECORD_HOLE || (body[0] == 0 && memcmp(body, body + 1, length - 1) == 0);
    if (!zeros) check(lseek(fd, (off_t)at, SEEK_SET) >= 0 && write_all(fd, body, length), "write", entry->path);
    at += piece;
  }
  check(ftruncate(fd, (off_t)entry->size) == 0, "size", entry->path);
}

static void make_directory(const struct entry *entry, const char *path) {
  struct stat status;
  bool exists = stat(path, &status) == 0;
  if (exists && !S_ISDIR(status.st_mode)) fail("%s: cannot replace a file by a directory", path);
  /* The copied directory's own entry says nothing about the one that it is poured into. */
  if (exists && !*entry->path) return;
  if (!exists) check(make_directories(AT_FDCWD, path, 0755), "make directory", path);
  set_owner_and_mode(entry, path);
  size_t size = strlen(path) + 1;
  struct late_time *late = need(malloc(sizeof *late + size));
  *late = (struct late_time){late_times, entry->mtime_ms};
  memcpy(late->path, path, size);
  late_times = late;
}

/* Changing the owner clears set-uid bits: the mode comes after it. */
static void set_owner_and_mode(const struct entry *entry, const char *path) {
  check(fchownat(AT_FDCWD, path, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) == 0, "set the owner of", path);
  if (entry->type != ENTRY_SYMLINK) check(chmod(path, entry->mode & 07777) == 0, "set the mode of", path);
}

static void set_time(const char *path, int64_t mtime_ms) {
  int64_t seconds = mtime_ms / 1000, rest = mtime_ms % 1000;
  if (rest < 0) rest += 1000, seconds--;
  struct timespec moment = {.tv_sec = (time_t)seconds, .tv_nsec = (long)rest * 1000000};
  utimensat(AT_FDCWD, path, (struct timespec[2]){moment, moment}, AT_SYMLINK_NOFOLLOW);
}

static void check(bool ok, const char *what, const char *path) {
  if (!ok) fail("%s %s: %s", what, path, strerror(errno));
}

static void fail(const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (aside[0]) unlink(aside);
  answer(RECORD_FAILED, text);
  _exit(1);
}

static void answer(uint8_t kind, const char *text) {
  uint8_t head[RECORD_HEAD] = {kind};
  put32(head + 1, (uint32_t)strlen(text));
  if (write_all(output, head, sizeof head)) write_all(output, text, strlen(text));
}
