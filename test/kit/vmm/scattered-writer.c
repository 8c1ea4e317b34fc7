/*
 * Stands for a VMM whose guest wrote here and there: `scattered-writer FILE EVERY` maps the file privately, writes its own
 * text into every EVERY-th page (none if it is 0) and zeros into the one after each eighth of these, says "ready", and
 * lives until its input ends. For each line "PAGE TEXT" of it, it writes the text there, zeros for "-", and says "done".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { page_bytes = 4096 };

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  size_t every = (size_t)atoi(argv[2]);
  int fd = open(argv[1], O_RDONLY);
  struct stat file;
  if (fd < 0 || fstat(fd, &file) < 0) return 1;
  size_t bytes = (size_t)file.st_size;
  /* As QEMU does: a reservation with room to spare on both sides, so that no other mapping touches it. */
  char *room = mmap(NULL, bytes + 2 * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return 1;
  char *ram = mmap(room + page_bytes, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
  if (ram == MAP_FAILED) return 1;
  for (size_t page = 0; page < bytes / page_bytes; page++) {
    char *at = ram + page * page_bytes;
    if (every != 0 && page % every == 0) snprintf(at, page_bytes, "page %zu", page);
    else if (every != 0 && page % (every * 8) == 1) memset(at, 0, page_bytes);
  }
  puts("ready");
  fflush(stdout);
  size_t page;
  char text[64];
  while (scanf("%zu %63s", &page, text) == 2 && page < bytes / page_bytes) {
    char *at = ram + page * page_bytes;
    if (strcmp(text, "-") == 0) memset(at, 0, page_bytes);
    else strcpy(at, text);
    puts("done");
    fflush(stdout);
  }
  return 0;
}
