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
enum { page_is_written = 1 << 1 };
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

/*
 * Finds up to `room` stretches of pages that are not protected, from `*at` on, and protects them: all up to `*at` was looked
 * at. Their count, or -1. A stretch may be of pages that nobody wrote: where a page table is new, or without `regions`, all
 * is protected. What is asked is what the kernel answers without looking at each page's kind (pagemap_scan_pmd_entry in
 * fs/proc/task_mmu.c).
 */
static int protect_written(const struct guest *guest, uint64_t *at, struct page_region *regions, size_t room) {
  struct uffdio_range ram = ram_of(guest);
  struct pm_scan_arg scan = {
      .size = sizeof scan,
      .flags = pm_scan_wp_matching | pm_scan_check_wpasync,
      .start = *at,
      .end = ram.start + ram.len,
      .vec = (uintptr_t)regions,
      .vec_len = room,
      .category_mask = page_is_written,
      .return_mask = page_is_written,
  };
  int count = ioctl(guest->pagemap, PAGEMAP_SCAN, &scan);
  *at = scan.walk_end;
  return count;
}

/* While memory is registered, each page of a file that is touched is a page fault of its own. */
static void forget_writes(const struct guest *guest, int userfaultfd) {
  struct uffdio_range all = ram_of(guest);
  ioctl(userfaultfd, UFFDIO_UNREGISTER, &all);
  close(userfaultfd);
}

/* The userfaultfd that notes all writes from here on, or -1: then there is nothing that can be asked. */
static int note_writes(const struct guest *guest) {
  int fd = find_userfaultfd(guest->pid);
  struct uffdio_register all = {.range = ram_of(guest), .mode = UFFDIO_REGISTER_MODE_WP};
  if (fd < 0) return -1;
  if (ioctl(fd, UFFDIO_REGISTER, &all) == 0) {
    uint64_t at = all.range.start;
    if (protect_written(guest, &at, NULL, 0) >= 0 && at == all.range.start + all.range.len) return fd;
    forget_writes(guest, fd);
  } else close(fd);
  return -1;
}

/* Marks the process's own pages that were written since it was asked before: their count, or -1 if the kernel does not tell. */
static long mark_written(const struct guest *guest, char *written) {
  struct page_region regions[256];
  struct uffdio_range ram = ram_of(guest);
  long marked = 0;
  for (uint64_t at = ram.start; at < ram.start + ram.len;) {
    int count = protect_written(guest, &at, regions, sizeof regions / sizeof *regions);
    if (count < 0) return -1;
    for (int i = 0; i < count; i++) {
      uint64_t page = (regions[i].start - ram.start) / page_bytes, end = (regions[i].end - ram.start) / page_bytes;
      marked += mark_own(guest, (uint32_t)page, (uint32_t)end, written);
    }
  }
  return marked;
}

#endif
