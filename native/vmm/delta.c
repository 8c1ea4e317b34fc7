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

int main(int argc, char **argv) {
  errno = EINVAL;
  if (argc < 5) fail("read", "arguments");
  struct guest guest = find_guest(argv[1], argv[2]);
  const char *delta_path = argv[3], *index_path = argv[4];
  char *wanted = calloc(guest.pages, 1);
  struct run *runs = calloc(most_runs, sizeof *runs);
  if (wanted == NULL || runs == NULL) fail("have", "memory");

  mark_own(&guest, wanted);
  for (int old = 5; old < argc; old++) mark_old(argv[old], wanted, guest.pages);
  uint32_t count = find_runs(wanted, guest.pages, runs);

  int delta = open_output(delta_path), index = open_output(index_path);
  off_t at = 0;
  for (uint32_t i = 0; i < count; i++) {
    for (uint32_t done = 0; done < runs[i].count;) {
      uint32_t left = runs[i].count - done, pages = left < buffer_pages ? left : buffer_pages;
      read_pages(&guest, runs[i].page + done, pages, buffer);
      if (!write_pages(delta, buffer, pages, at)) fail("write", delta_path);
      at += (off_t)pages * page_bytes;
      done += pages;
    }
  }
  if (ftruncate(delta, at) < 0) fail("write", delta_path);
  if (!write_at(index, (const char *)runs, count * sizeof *runs, 0)) fail("write", index_path);
  if (close(delta) < 0) fail("write", delta_path);
  if (close(index) < 0) fail("write", index_path);
  return printf("%lld\n", (long long)(at / page_bytes)) < 0;
}
