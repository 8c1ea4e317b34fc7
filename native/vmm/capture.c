/*
 * As `delta`, of a machine that goes on: `capture PID BYTES DELTA INDEX [OLD-INDEX...]`, run by root.
 *
 * Copies the pages while the machine runs and says "copied N", or "noted N" if the kernel notes what is written from there
 * on, so that a comparison costs little. Then it does as the lines of its input say, and answers each:
 *
 *   compare   reads the pages that are the process's own by now again, or if the kernel knows them those that were written
 *             since, and keeps what differs, while the machine stands still; may be asked again. "compared N": so many
 *             pages were others.
 *   write     fills DELTA and INDEX; the machine may do what it likes. "written N" pages; or "failed REASON", and it may
 *             be asked again.
 *
 * Ends with its input. Exit status 1 and a line on stderr if any other step fails. The copy is in its own memory: nothing
 * is written to a disk while the machine stands.
 */
#include "written-pages.h"

#include <sys/mman.h>
#include <sys/resource.h>

struct copy {
  struct guest guest;
  /* A place for each page of the RAM; those that were never written take no memory and read as zeros. */
  char *bytes;
  /* Pages that belong to the delta, those that `bytes` has, as runs may take in some more, and those that were just written. */
  char *wanted, *has, *due;
  struct run *runs;
  uint32_t run_count;
  /* -1: the kernel does not note what is written. */
  int userfaultfd;
};

static void *need(void *memory) {
  if (memory == NULL || memory == MAP_FAILED) fail("have", "memory");
  return memory;
}

static void read_pages(const struct guest *guest, uint32_t page, size_t count, char *into) {
  size_t length = count * page_bytes;
  uint64_t from = guest->begin + (uint64_t)page * page_bytes;
  struct iovec local = {into, length}, remote = {(void *)(uintptr_t)from, length};
  errno = EIO;
  if (process_vm_readv((pid_t)guest->pid, &local, 1, &remote, 1, 0) != (ssize_t)length) fail("read", "the machine's memory");
}

static uint32_t keep(struct copy *copy, uint32_t page, uint32_t count) {
  uint32_t changed = 0;
  for (uint32_t done = 0; done < count;) {
    uint32_t left = count - done, pages = left < buffer_pages ? left : buffer_pages;
    read_pages(&copy->guest, page + done, pages, buffer);
    for (uint32_t i = 0; i < pages; i++) {
      char *kept = copy->bytes + (size_t)(page + done + i) * page_bytes;
      if (!differs(kept, buffer + i * page_bytes)) continue;
      memcpy(kept, buffer + i * page_bytes, page_bytes);
      changed++;
    }
    memset(copy->has + page + done, 1, pages);
    done += pages;
  }
  return changed;
}

/* Those that are due and are in a run; and all of a run that we do not have yet. */
static uint32_t keep_due(struct copy *copy) {
  uint32_t changed = 0;
  copy->run_count = find_runs(copy->wanted, copy->guest.pages, copy->runs);
  for (uint32_t i = 0; i < copy->run_count; i++) {
    uint32_t page = copy->runs[i].page, end = page + copy->runs[i].count;
    while (page < end) {
      uint32_t from = page;
      while (page < end && (copy->due[page] || !copy->has[page])) page++;
      if (page > from) changed += keep(copy, from, page - from);
      while (page < end && !copy->due[page] && copy->has[page]) page++;
    }
  }
  return changed;
}

static void stop_noting(struct copy *copy) {
  if (copy->userfaultfd >= 0) forget_writes(&copy->guest, copy->userfaultfd);
  copy->userfaultfd = -1;
}

/* Those of the process's own pages that were written since the look before; all if nobody knows, or if it is the first. */
static uint32_t compare(struct copy *copy, int first) {
  memset(copy->due, 0, copy->guest.pages);
  long written = first || copy->userfaultfd < 0 ? -1 : mark_written(&copy->guest, copy->due);
  if (written == 0) return 0;
  if (written < 0) {
    if (!first) stop_noting(copy);
    mark_own(&copy->guest, 0, copy->guest.pages, copy->due);
  }
  for (uint32_t page = 0; page < copy->guest.pages; page++) copy->wanted[page] |= copy->due[page];
  return keep_due(copy);
}

/* The count of pages, or -1 with errno. */
static long long write_down(const struct copy *copy, int delta, int index) {
  if (ftruncate(delta, 0) < 0 || ftruncate(index, 0) < 0) return -1;
  off_t at = 0;
  for (uint32_t i = 0; i < copy->run_count; i++) {
    const char *bytes = copy->bytes + (size_t)copy->runs[i].page * page_bytes;
    if (!write_pages(delta, bytes, copy->runs[i].count, at)) return -1;
    at += (off_t)copy->runs[i].count * page_bytes;
  }
  if (ftruncate(delta, at) < 0) return -1;
  if (!write_at(index, (const char *)copy->runs, copy->run_count * sizeof *copy->runs, 0)) return -1;
  return at / page_bytes;
}

static void answer(const char *word, long long count) {
  if (printf("%s %lld\n", word, count) < 0 || fflush(stdout) != 0) exit(1);
}

int main(int argc, char **argv) {
  program = "capture";
  errno = EINVAL;
  if (argc < 5) fail("read", "arguments");
  struct guest guest = find_guest(argv[1], argv[2]);
  size_t bytes = (size_t)guest.pages * page_bytes;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  struct copy copy = {
      .guest = guest,
      .bytes = need(mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0)),
      .wanted = need(calloc(guest.pages, 1)),
      .has = need(calloc(guest.pages, 1)),
      .due = need(calloc(guest.pages, 1)),
      .runs = need(calloc(most_runs, sizeof *copy.runs)),
      .userfaultfd = note_writes(&guest),
  };
  int delta = open_output(argv[3]), index = open_output(argv[4]);
  /* A huge page for each page that was written would be far more memory than the machine's own. */
  madvise(copy.bytes, bytes, MADV_NOHUGEPAGE);
  for (int old = 5; old < argc; old++) mark_old(argv[old], copy.wanted, guest.pages);
  uint32_t copied = compare(&copy, 1);
  answer(copy.userfaultfd < 0 ? "copied" : "noted", copied);
  /* From here on a machine stands while we work. If it may not be, the host's own order will do. */
  setpriority(PRIO_PROCESS, 0, -10);

  char line[16];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strcmp(line, "compare\n") == 0) answer("compared", compare(&copy, 0));
    else if (strcmp(line, "write\n") == 0) {
      stop_noting(&copy);
      long long pages = write_down(&copy, delta, index);
      if (pages >= 0) answer("written", pages);
      else if (printf("failed %s\n", strerror(errno)) < 0 || fflush(stdout) != 0) return 1;
    } else return 1;
  }
  return 0;
}
