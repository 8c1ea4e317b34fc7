#include "write-target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "file-record.h"

static char base[PATH_BYTES_MAX + 1];
static bool renames;
/* The name that `base` stands for; set by the first entry. */
static char top[PATH_BYTES_MAX + 1];
static bool top_known;

const char *write_target_set(const char *path) {
  struct stat status;
  size_t length = strlen(path);
  if (length > PATH_BYTES_MAX - 1) return strerror(ENAMETOOLONG);
  snprintf(base, sizeof base, "%s%s", path[0] == '/' ? "" : "/", path);
  if (stat(base, &status) == 0 && S_ISDIR(status.st_mode)) return NULL;
  renames = true;
  if (base[strlen(base) - 1] == '/') return "no such directory";
  char *slash = strrchr(base, '/');
  if (slash == base) return NULL;
  *slash = 0;
  bool parent = stat(base, &status) == 0 && S_ISDIR(status.st_mode);
  *slash = '/';
  return parent ? NULL : "its parent directory does not exist";
}

bool write_target_path(const char *entry_path, char *path) {
  const char *below = entry_path;
  if (renames) {
    size_t length = strcspn(entry_path, "/");
    if (!top_known) snprintf(top, sizeof top, "%.*s", (int)length, entry_path);
    top_known = true;
    if (*top) {
      if (strncmp(entry_path, top, length) != 0 || top[length]) return false;
      below = entry_path + length + (entry_path[length] == '/' ? 1 : 0);
    }
  }
  bool root = strcmp(base, "/") == 0;
  const char *separator = *below && !root ? "/" : "";
  size_t need_bytes = strlen(base) + strlen(separator) + strlen(below);
  if (need_bytes > PATH_BYTES_MAX) return false;
  snprintf(path, PATH_BYTES_MAX + 1, "%s%s%s", base, separator, below);
  return true;
}
