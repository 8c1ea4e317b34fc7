/*
 * A guest's program that shows whether its memory is of one instant: `pass-writer FILE` writes the number of the pass into
 * each page of its memory, one after the other, and begins again. A page that does not hold the number of the pass before
 * was lost or is too old: then it writes "broken" into FILE and ends; else the number of each pass.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { page_words = 512, pages = 4096 };

static int tell(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) return 1;
  int failed = write(fd, text, strlen(text)) < 0;
  return close(fd) < 0 || failed;
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  size_t bytes = (size_t)pages * page_words * sizeof(uint64_t);
  volatile uint64_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  for (uint64_t pass = 1;; pass++) {
    for (size_t page = 0; page < pages; page++) {
      volatile uint64_t *at = memory + page * page_words;
      /* First and last word: half a page is as wrong as a whole one. */
      if (at[0] != pass - 1 || at[page_words - 1] != pass - 1) return tell(argv[1], "broken\n");
      at[0] = pass;
      at[page_words - 1] = pass;
    }
    char text[32];
    snprintf(text, sizeof text, "%llu\n", (unsigned long long)pass);
    if (tell(argv[1], text) != 0) return 1;
  }
}
