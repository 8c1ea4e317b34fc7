/*
 * Preloaded into QEMU: opens the RAM file named by UNI_RAM_FILE for reading only.
 *
 * A machine maps the RAM file of its snapshot privately (memory-backend-file,share=off), so it never writes to it. QEMU
 * 7.2 opens it for writing all the same (file_ram_open in softmmu/physmem.c; 8.2 falls back to reading), which would
 * need a file that every machine's user may write, and would leave each of them a descriptor to change the memory of
 * all others with. A private writable mapping needs read access only (mmap(2)).
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

static int open_path(const char *path, int flags, mode_t mode) {
  const char *ram = getenv("UNI_RAM_FILE");
  if (ram != NULL && strcmp(path, ram) == 0) flags = (flags & ~O_ACCMODE) | O_RDONLY;
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
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
