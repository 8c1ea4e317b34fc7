/*
 * Copies out what a machine wrote into its memory: `delta PID BYTES DELTA INDEX [OLD-INDEX]`, run by root.
 *
 * The machine's RAM is a private mapping of an immutable file of BYTES bytes. A page belongs to the delta if it became
 * the process's own, or if OLD-INDEX, the delta that the process was resumed from, has it. DELTA and INDEX exist and are
 * empty. The process stands still. Pages of zeros become holes. Prints the count of pages.
 *
 * Exit status 1 and a line on stderr if any step fails.
 */
#include "delta-index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Each run costs a mapping when the machine is resumed, and a process may have 65530 of them (vm.max_map_count). */
enum { most_runs = 16384, buffer_pages = 256 };

/* pagemap entries, Documentation/admin-guide/mm/pagemap.rst */
#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)
#define FILE_OR_SHARED (UINT64_C(1) << 61)

static char buffer[buffer_pages * page_bytes];

_Noreturn static void fail(const char *what, const char *on) {
  fprintf(stderr, "delta: %s %s: %s\n", what, on, strerror(errno));
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
 * of an old delta laid over it. */
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

static void mark_own(uint64_t pid, uint64_t begin, char *wanted, uint32_t pages) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%" PRIu64 "/pagemap", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("open", path);
  uint64_t *entries = (uint64_t *)(void *)buffer;
  uint32_t at_once = sizeof buffer / sizeof *entries;
  for (uint32_t page = 0; page < pages; page += at_once) {
    uint32_t count = pages - page < at_once ? pages - page : at_once;
    size_t length = count * sizeof *entries;
    errno = EIO;
    if (pread(fd, entries, length, (off_t)((begin / page_bytes + page) * sizeof *entries)) != (ssize_t)length)
      fail("read", path);
    for (uint32_t i = 0; i < count; i++)
      if ((entries[i] & SWAPPED) != 0 || (entries[i] & (PRESENT | FILE_OR_SHARED)) == PRESENT) wanted[page + i] = 1;
  }
  close(fd);
}

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
static uint32_t find_runs(const char *wanted, uint32_t pages, uint32_t gap, struct run *runs) {
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

static int is_zero(const char *page) {
  return page[0] == 0 && memcmp(page, page + 1, page_bytes - 1) == 0;
}

static void write_at(int fd, const char *bytes, size_t length, off_t at, const char *path) {
  while (length > 0) {
    ssize_t written = pwrite(fd, bytes, length, at);
    if (written < 0) fail("write", path);
    bytes += written;
    length -= (size_t)written;
    at += written;
  }
}

/* The pages in the buffer that are not zero, in as few calls as their stretches. */
static void write_pages(int fd, size_t pages, off_t at, const char *path) {
  for (size_t page = 0; page < pages;) {
    size_t end = page;
    while (end < pages && !is_zero(buffer + end * page_bytes)) end++;
    write_at(fd, buffer + page * page_bytes, (end - page) * page_bytes, at + (off_t)(page * page_bytes), path);
    page = end + 1;
  }
}

/* Many runs at a time: the buffer's pages come from as many places, and lie one after the other in the file. */
static void copy_batch(uint64_t pid, const struct iovec *remote, size_t places, size_t pages, int fd, off_t at,
                       const char *path) {
  struct iovec local = {buffer, pages * page_bytes};
  errno = EIO;
  if (process_vm_readv((pid_t)pid, &local, 1, remote, places, 0) != (ssize_t)local.iov_len)
    fail("read", "the machine's memory");
  write_pages(fd, pages, at, path);
}

/* How long the file is then. */
static off_t copy_runs(uint64_t pid, uint64_t begin, const struct run *runs, uint32_t count, int fd, const char *path) {
  struct iovec remote[buffer_pages];
  size_t places = 0, pages = 0;
  off_t at = 0;
  for (uint32_t i = 0; i < count; i++) {
    for (uint32_t done = 0, part; done < runs[i].count; done += part) {
      part = runs[i].count - done;
      if (part > buffer_pages - pages) part = (uint32_t)(buffer_pages - pages);
      uint64_t from = begin + (uint64_t)(runs[i].page + done) * page_bytes;
      remote[places++] = (struct iovec){(void *)(uintptr_t)from, (size_t)part * page_bytes};
      pages += part;
      if (pages < buffer_pages) continue;
      copy_batch(pid, remote, places, pages, fd, at, path);
      at += (off_t)(pages * page_bytes);
      places = pages = 0;
    }
  }
  if (pages > 0) copy_batch(pid, remote, places, pages, fd, at, path);
  return at + (off_t)(pages * page_bytes);
}

static int open_output(const char *path) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) fail("open", path);
  return fd;
}

int main(int argc, char **argv) {
  errno = EINVAL;
  if (argc != 5 && argc != 6) fail("read", "arguments");
  uint64_t pid = number(argv[1]), bytes = number(argv[2]);
  const char *delta_path = argv[3], *index_path = argv[4];
  if (bytes % page_bytes != 0 || bytes / page_bytes > UINT32_MAX / 2) fail("read number", argv[2]);
  uint32_t pages = (uint32_t)(bytes / page_bytes);
  char *wanted = calloc(pages, 1);
  struct run *runs = calloc(most_runs, sizeof *runs);
  if (wanted == NULL || runs == NULL) fail("have", "memory");

  uint64_t begin = find_ram(pid, bytes);
  mark_own(pid, begin, wanted, pages);
  if (argc == 6) mark_old(argv[5], wanted, pages);
  uint32_t count = 0;
  for (uint32_t gap = 0; count == 0 && gap <= pages; gap = gap * 2 + 1) count = find_runs(wanted, pages, gap, runs);

  int delta = open_output(delta_path), index = open_output(index_path);
  off_t at = copy_runs(pid, begin, runs, count, delta, delta_path);
  if (ftruncate(delta, at) < 0) fail("write", delta_path);
  write_at(index, (const char *)runs, count * sizeof *runs, 0, index_path);
  if (close(delta) < 0) fail("write", delta_path);
  if (close(index) < 0) fail("write", index_path);
  return printf("%lld\n", (long long)(at / page_bytes)) < 0;
}
