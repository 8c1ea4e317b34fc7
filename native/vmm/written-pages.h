/*
 * Which pages of a machine are written, as the kernel notes it (Linux 6.7): memory that is registered with a userfaultfd
 * in the asynchronous mode can be protected page by page; the first write takes the protection off and waits for nobody
 * (Documentation/admin-guide/mm/userfaultfd.rst and pagemap.rst). The machine's process has made the userfaultfd.
 */
#ifndef WRITTEN_PAGES_H
#define WRITTEN_PAGES_H

#include "guest-memory.h"

#include <dirent.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* include/uapi/linux/fs.h of Linux 6.7 */
struct page_region {
  uint64_t start, end, categories;
};
struct pm_scan_arg {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
enum { page_is_written = 1 << 1, page_is_file = 1 << 2, page_is_present = 1 << 3, page_is_swapped = 1 << 4 };
enum { pm_scan_wp_matching = 1 << 0, pm_scan_check_wpasync = 1 << 1 };
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)

static struct uffdio_range ram_of(const struct guest *guest) {
  return (struct uffdio_range){guest->begin, (uint64_t)guest->pages * page_bytes};
}

/* A descriptor of the process's userfaultfd, or -1. */
static int find_userfaultfd(uint64_t pid) {
  char path[64], name[32];
  snprintf(path, sizeof path, "/proc/%" PRIu64 "/fd", pid);
  DIR *descriptors = opendir(path);
  if (descriptors == NULL) return -1;
  int found = -1;
  for (struct dirent *entry; found < 0 && (entry = readdir(descriptors)) != NULL;) {
    ssize_t length = readlinkat(dirfd(descriptors), entry->d_name, name, sizeof name);
    static const char wanted[] = "anon_inode:[userfaultfd]";
    if (length != sizeof wanted - 1 || memcmp(name, wanted, sizeof wanted - 1) != 0) continue;
    int process = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    found = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, atoi(entry->d_name), 0);
    if (process >= 0) close(process);
  }
  closedir(descriptors);
  return found;
}

/* The userfaultfd that notes all writes from here on, or -1: then there is nothing that can be asked. */
static int note_writes(const struct guest *guest) {
  int fd = find_userfaultfd(guest->pid);
  struct uffdio_register all = {.range = ram_of(guest), .mode = UFFDIO_REGISTER_MODE_WP};
  if (fd < 0 || ioctl(fd, UFFDIO_REGISTER, &all) == 0) return fd;
  close(fd);
  return -1;
}

/* While memory is registered, each page of a file that is touched is a page fault of its own. */
static void forget_writes(const struct guest *guest, int userfaultfd) {
  struct uffdio_range all = ram_of(guest);
  ioctl(userfaultfd, UFFDIO_UNREGISTER, &all);
  close(userfaultfd);
}

/* Marks the process's own pages that were written since it was asked before. 0: the kernel does not tell, all may be. */
static int mark_written(const struct guest *guest, char *written) {
  struct page_region regions[256];
  struct uffdio_range ram = ram_of(guest);
  struct pm_scan_arg scan = {
      .size = sizeof scan,
      .flags = pm_scan_wp_matching | pm_scan_check_wpasync,
      .start = ram.start,
      .end = ram.start + ram.len,
      .vec = (uintptr_t)regions,
      .vec_len = sizeof regions / sizeof *regions,
      .category_inverted = page_is_file,
      .category_mask = page_is_written | page_is_file,
      .category_anyof_mask = page_is_present | page_is_swapped,
      .return_mask = page_is_written,
  };
  for (; scan.start < scan.end; scan.start = scan.walk_end) {
    int count = ioctl(guest->pagemap, PAGEMAP_SCAN, &scan);
    if (count < 0) return 0;
    for (int i = 0; i < count; i++) {
      uint64_t page = (regions[i].start - ram.start) / page_bytes;
      memset(written + page, 1, (regions[i].end - regions[i].start) / page_bytes);
    }
  }
  return 1;
}

#endif
