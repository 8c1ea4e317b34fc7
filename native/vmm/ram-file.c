/*
 * Preloaded into QEMU: opens the RAM file named by UNI_RAM_FILE for reading only, and lays deltas over its mapping, one
 * over the other, if UNI_DELTAS names their descriptors: "DELTA,INDEX DELTA,INDEX ". Makes a userfaultfd.
 *
 * A machine maps the RAM file of its snapshot privately (memory-backend-file,share=off), so it never writes to it. QEMU
 * 7.2 opens it for writing all the same (file_ram_open in softmmu/physmem.c; 8.2 falls back to reading), which would
 * need a file that every machine's user may write, and would leave each of them a descriptor to change the memory of
 * all others with. A private writable mapping needs read access only (mmap(2)).
 *
 * A delta's pages are mapped privately too, over those of the RAM file: nothing is read before the guest touches it.
 */
#include "delta-index.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

/* include/uapi/linux/userfaultfd.h of Linux 6.7 */
enum { uffd_feature_wp_async = 1 << 15 };

static int ram_descriptor = -1;

static int open_path(const char *path, int flags, mode_t mode) {
  const char *ram = getenv("UNI_RAM_FILE");
  int is_ram = ram != NULL && strcmp(path, ram) == 0;
  if (is_ram) flags = (flags & ~O_ACCMODE) | O_RDONLY;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  if (is_ram) ram_descriptor = fd;
  return fd;
}

PUBLIC int open64(const char *path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  return open_path(path, flags, mode);
}

/* What glibc's fortified headers make of an open64 without a mode. */
PUBLIC int __open64_2(const char *path, int flags);
PUBLIC int __open64_2(const char *path, int flags) { return open_path(path, flags, 0); }

static void *map(void *address, size_t length, int protection, int flags, int fd, off64_t offset) {
  return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}

/* Memory without its delta must never run. */
_Noreturn static void fail(const char *what) {
  fprintf(stderr, "ram-file: lay the delta over the machine's memory: %s: %s\n", what, strerror(errno));
  _exit(1);
}

static void lay_over(char *ram, size_t length, int protection, int delta, int index) {
  struct run runs[512];
  size_t pages = length / page_bytes, next = 0;
  off64_t at = 0;
  ssize_t got;
  while ((got = read(index, runs, sizeof runs)) > 0) {
    for (size_t i = 0; i < (size_t)got / sizeof *runs; i++) {
      size_t page = runs[i].page, count = runs[i].count;
      errno = EINVAL;
      if (page < next || page > pages || count > pages - page) fail("the index is damaged");
      size_t bytes = count * page_bytes;
      if (map(ram + page * page_bytes, bytes, protection, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, delta, at) == MAP_FAILED)
        fail("map");
      at += (off64_t)bytes;
      next = page + count;
    }
  }
  if (got < 0) fail("read the index");
  close(delta);
  close(index);
}

/*
 * Left open for `capture`, which has the kernel note by it what is written (written-pages.h): only the process itself can
 * make one for its memory. Until then it does nothing. An older kernel refuses it, and `capture` compares instead.
 */
static void offer_userfaultfd(void) {
  int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
  struct uffdio_api api = {.api = UFFD_API, .features = uffd_feature_wp_async};
  if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) < 0) close(fd);
}

PUBLIC void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset) {
  void *mapped = map(address, length, protection, flags, fd, offset);
  if (mapped == MAP_FAILED || fd < 0 || fd != ram_descriptor || protection == PROT_NONE) return mapped;
  const char *descriptors = getenv("UNI_DELTAS");
  for (int delta, index, used; descriptors != NULL && *descriptors != '\0'; descriptors += used) {
    errno = EINVAL;
    if (sscanf(descriptors, "%d,%d %n", &delta, &index, &used) != 2) fail("no descriptors");
    lay_over(mapped, length, protection, delta, index);
  }
  unsetenv("UNI_DELTAS");
  offer_userfaultfd();
  return mapped;
}
