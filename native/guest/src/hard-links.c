#include "hard-links.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

/* More linked files than this are copied as files of their own. */
enum { BUCKETS = 4096, REMEMBERED_MAX = 200000 };

struct seen {
  struct seen *next;
  dev_t device;
  ino_t inode;
  char path[];
};

static struct seen *buckets[BUCKETS];
static size_t remembered;

bool hard_link_seen(const struct stat *status, const char *path, char *first) {
  struct seen **bucket = &buckets[status->st_ino % BUCKETS];
  for (struct seen *seen = *bucket; seen; seen = seen->next) {
    if (seen->device != status->st_dev || seen->inode != status->st_ino) continue;
    strcpy(first, seen->path);
    return true;
  }
  if (remembered == REMEMBERED_MAX) return false;
  remembered++;
  size_t length = strlen(path) + 1;
  struct seen *seen = need(malloc(sizeof *seen + length));
  *seen = (struct seen){*bucket, status->st_dev, status->st_ino};
  memcpy(seen->path, path, length);
  *bucket = seen;
  return false;
}
