/*
 * What `delta` and `capture` share: finding the memory of a machine in its process, the pages in it that are its own, and
 * writing them down. Each is run by root for one job, and ends with the first failure.
 *
 * The machine's RAM is a private mapping of immutable files: a page that was written became the process's own.
 */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include "delta-index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* A machine has at most three deltas laid over its RAM. Each run of one costs two mappings, and a process may have 65530
 * of them (vm.max_map_count). */
enum { most_runs = 10240, buffer_pages = 256 };

/* pagemap entries, Documentation/admin-guide/mm/pagemap.rst */
#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)
#define FILE_OR_SHARED (UINT64_C(1) << 61)
/* What stands for a page that is not there and whose first write is to be noted looks swapped, to the last type of swap
 * (SWP_PTE_MARKER in include/linux/swap.h). */
enum { swap_types = 31, marker_type = 31 };

struct guest {
  uint64_t pid, begin;
  uint32_t pages;
  int pagemap;
};

static const char *program = "delta";
static _Alignas(64) char buffer[buffer_pages * page_bytes];

_Noreturn static void fail(const char *what, const char *on) {
  fprintf(stderr, "%s: %s %s: %s\n", program, what, on, strerror(errno));
  exit(1);
}

static uint64_t number(const char *text) {
  char *end;
  errno = 0;
  uint64_t value = strtoull(text, &end, 10);
  if (errno == 0 && (*text < '1' || *text > '9' || *end != '\0')) errno = EINVAL;
  if (errno != 0) fail("read number", text);
  return value;
}

/* The RAM is the one stretch of private file mappings without a gap that is exactly so long: the RAM file's, with those
 * of deltas laid over it. */
static uint64_t find_ram(uint64_t pid, uint64_t bytes) {
  char path[64], line[8192];
  snprintf(path, sizeof path, "/proc/%" PRIu64 "/maps", pid);
  FILE *maps = fopen(path, "re");
  if (maps == NULL) fail("open", path);
  uint64_t begin = 0, end = 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    uint64_t from, to, inode;
    char access[5];
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %" SCNu64, &from, &to, access, &inode) != 4) continue;
    int candidate = strcmp(access, "rw-p") == 0 && inode != 0;
    if (candidate && from == end) end = to;
    else {
      if (end - begin == bytes) break;
      begin = candidate ? from : 0;
      end = candidate ? to : 0;
    }
  }
  fclose(maps);
  errno = ENOMEM;
  if (end - begin != bytes) fail("find the machine's memory in", path);
  return begin;
}

static struct guest find_guest(const char *pid_text, const char *bytes_text) {
  uint64_t pid = number(pid_text), bytes = number(bytes_text);
  errno = EINVAL;
  if (bytes % page_bytes != 0 || bytes / page_bytes > UINT32_MAX / 2) fail("read number", bytes_text);
  char path[64];
  snprintf(path, sizeof path, "/proc/%" PRIu64 "/pagemap", pid);
  int pagemap = open(path, O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) fail("open", path);
  return (struct guest){pid, find_ram(pid, bytes), (uint32_t)(bytes / page_bytes), pagemap};
}

/* Those from `from` to before `to`. Returns their count. */
static uint32_t mark_own(const struct guest *guest, uint32_t from, uint32_t to, char *wanted) {
  uint64_t *entries = (uint64_t *)(void *)buffer;
  uint32_t at_once = sizeof buffer / sizeof *entries, marked = 0;
  for (uint32_t page = from; page < to; page += at_once) {
    uint32_t count = to - page < at_once ? to - page : at_once;
    size_t length = count * sizeof *entries;
    off_t at = (off_t)((guest->begin / page_bytes + page) * sizeof *entries);
    errno = EIO;
    if (pread(guest->pagemap, entries, length, at) != (ssize_t)length) fail("read", "the machine's page map");
    for (uint32_t i = 0; i < count; i++) {
      int swapped = (entries[i] & SWAPPED) != 0 && (entries[i] & swap_types) != marker_type;
      if (swapped || (entries[i] & (PRESENT | FILE_OR_SHARED)) == PRESENT) wanted[page + i] = 1, marked++;
    }
  }
  return marked;
}

/* The pages of a delta that the machine stands on. */
static void mark_old(const char *path, char *wanted, uint32_t pages) {
  FILE *index = fopen(path, "re");
  if (index == NULL) fail("open", path);
  struct run run;
  while (fread(&run, sizeof run, 1, index) == 1) {
    errno = EINVAL;
    if (run.page > pages || run.count > pages - run.page) fail("read", path);
    memset(wanted + run.page, 1, run.count);
  }
  if (ferror(index)) fail("read", path);
  fclose(index);
}

/* Runs closer than `gap` pages become one; 0 if there are too many all the same. */
static uint32_t find_runs_within(const char *wanted, uint32_t pages, uint32_t gap, struct run *runs) {
  uint32_t count = 0;
  for (uint32_t page = 0; page < pages; page++) {
    if (!wanted[page]) continue;
    struct run *last = count > 0 ? &runs[count - 1] : NULL;
    if (last != NULL && page - (last->page + last->count) <= gap) last->count = page + 1 - last->page;
    else if (count == most_runs) return 0;
    else runs[count++] = (struct run){page, 1};
  }
  return count;
}

/* As few pages more as it takes to have few enough runs. */
static uint32_t find_runs(const char *wanted, uint32_t pages, struct run *runs) {
  uint32_t count = 0;
  for (uint32_t gap = 0; count == 0 && gap <= pages; gap = gap * 2 + 1)
    count = find_runs_within(wanted, pages, gap, runs);
  return count;
}

/* musl's memcmp takes byte by byte. */
static int differs(const char *one, const char *two) {
  const uint64_t *a = (const uint64_t *)(const void *)one, *b = (const uint64_t *)(const void *)two;
  for (size_t i = 0; i < page_bytes / sizeof *a; i += 8) {
    uint64_t difference = 0;
    for (size_t j = i; j < i + 8; j++) difference |= a[j] ^ b[j];
    if (difference != 0) return 1;
  }
  return 0;
}

static const _Alignas(64) char zeros[page_bytes];

static int is_zero(const char *page) { return !differs(page, zeros); }

/* False, with errno, if it cannot be written. */
static int write_at(int fd, const char *bytes, size_t length, off_t at) {
  while (length > 0) {
    ssize_t written = pwrite(fd, bytes, length, at);
    if (written < 0) return 0;
    bytes += written;
    length -= (size_t)written;
    at += written;
  }
  return 1;
}

/* The pages that are not zero, in as few calls as their stretches. */
static int write_pages(int fd, const char *bytes, size_t pages, off_t at) {
  for (size_t page = 0; page < pages;) {
    size_t end = page;
    while (end < pages && !is_zero(bytes + end * page_bytes)) end++;
    if (!write_at(fd, bytes + page * page_bytes, (end - page) * page_bytes, at + (off_t)(page * page_bytes))) return 0;
    page = end + 1;
  }
  return 1;
}

static int open_output(const char *path) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) fail("open", path);
  return fd;
}

#endif
