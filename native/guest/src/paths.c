#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool write_text(int directory, const char *path, const char *text) {
  int fd = openat(directory, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool ok = write(fd, text, strlen(text)) >= 0;
  int error = errno;
  close(fd);
  errno = error;
  return ok;
}

ssize_t read_text(int directory, const char *path, char *text, size_t size) {
  int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  size_t length = 0;
  ssize_t got;
  while (length < size - 1 && (got = read(fd, text + length, size - 1 - length)) > 0) length += (size_t)got;
  text[length] = 0;
  close(fd);
  return (ssize_t)length;
}

char *read_regular(const char *path, size_t most, size_t *length) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return NULL;
  struct stat status;
  char *text = NULL;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (uint64_t)status.st_size <= most) {
    size_t size = (size_t)status.st_size;
    text = malloc(size + 1);
    *length = 0;
    ssize_t got;
    while (text && *length < size && (got = read(fd, text + *length, size - *length)) > 0) *length += (size_t)got;
    if (text) text[*length] = 0;
  }
  close(fd);
  return text;
}

bool make_directories(int base, const char *path, mode_t mode) {
  char part[PATH_MAX];
  size_t length = strlen(path);
  if (length >= sizeof part) return errno = ENAMETOOLONG, false;
  memcpy(part, path, length + 1);
  for (char *slash = part + 1; length > 0 && (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    if (mkdirat(base, part, mode) != 0 && errno != EEXIST) return false;
    *slash = '/';
  }
  struct stat status;
  if (mkdirat(base, part, mode) == 0) return true;
  if (errno != EEXIST || fstatat(base, part, &status, 0) != 0) return false;
  return S_ISDIR(status.st_mode) || (errno = ENOTDIR, false);
}

bool write_all(int fd, const void *data, size_t length) {
  const char *at = data;
  while (length > 0) {
    ssize_t put = write(fd, at, length);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    at += put;
    length -= (size_t)put;
  }
  return true;
}

bool read_all(int fd, void *data, size_t length) {
  char *at = data;
  while (length > 0) {
    ssize_t got = read(fd, at, length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    length -= (size_t)got;
  }
  return true;
}
