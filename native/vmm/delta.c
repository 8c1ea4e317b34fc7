/*
 * Copies out what a machine wrote into its memory: `delta PID BYTES DELTA INDEX [OLD-INDEX...]`, run by root.
 *
 * The machine's RAM is a private mapping of an immutable file of BYTES bytes, with deltas laid over it. A page belongs to
 * the delta if it became the process's own, or if an OLD-INDEX has it, of a delta that the machine stands on and that
 * the new one is to stand in for. DELTA and INDEX exist and are empty. The process stands still. Pages of zeros become
 * holes. Prints the count of pages.
 *
 * Exit status 1 and a line on stderr if any step fails.
 */
#include "guest-memory.h"

/* Many runs at a time: the buffer's pages come from as many places, and lie one after the other in the file. */
static void copy_batch(const struct guest *guest, const struct iovec *remote, size_t places, size_t pages, int fd, off_t at,
                       const char *path) {
  struct iovec local = {buffer, pages * page_bytes};
  errno = EIO;
  if (process_vm_readv((pid_t)guest->pid, &local, 1, remote, places, 0) != (ssize_t)local.iov_len)
    fail("read", "the machine's memory");
  if (!write_pages(fd, buffer, pages, at)) fail("write", path);
}

/* How long the file is then. */
static off_t copy_runs(const struct guest *guest, const struct run *runs, uint32_t count, int fd, const char *path) {
  struct iovec remote[buffer_pages];
  size_t places = 0, pages = 0;
  off_t at = 0;
  for (uint32_t i = 0; i < count; i++) {
    for (uint32_t done = 0, part; done < runs[i].count; done += part) {
      part = runs[i].count - done;
      if (part > buffer_pages - pages) part = (uint32_t)(buffer_pages - pages);
      uint64_t from = guest->begin + (uint64_t)(runs[i].page + done) * page_bytes;
      remote[places++] = (struct iovec){(void *)(uintptr_t)from, (size_t)part * page_bytes};
      pages += part;
      if (pages < buffer_pages) continue;
      copy_batch(guest, remote, places, pages, fd, at, path);
      at += (off_t)(pages * page_bytes);
      places = pages = 0;
    }
  }
  if (pages > 0) copy_batch(guest, remote, places, pages, fd, at, path);
  return at + (off_t)(pages * page_bytes);
}

int main(int argc, char **argv) {
  errno = EINVAL;
  if (argc < 5) fail("read", "arguments");
  struct guest guest = find_guest(argv[1], argv[2]);
  const char *delta_path = argv[3], *index_path = argv[4];
  char *wanted = calloc(guest.pages, 1);
  struct run *runs = calloc(most_runs, sizeof *runs);
  if (wanted == NULL || runs == NULL) fail("have", "memory");

  mark_own(&guest, 0, guest.pages, wanted);
  for (int old = 5; old < argc; old++) mark_old(argv[old], wanted, guest.pages);
  uint32_t count = find_runs(wanted, guest.pages, runs);

  int delta = open_output(delta_path), index = open_output(index_path);
  off_t at = copy_runs(&guest, runs, count, delta, delta_path);
  if (ftruncate(delta, at) < 0) fail("write", delta_path);
  if (!write_at(index, (const char *)runs, count * sizeof *runs, 0)) fail("write", index_path);
  if (close(delta) < 0) fail("write", delta_path);
  if (close(index) < 0) fail("write", index_path);
  return printf("%lld\n", (long long)(at / page_bytes)) < 0;
}
