#pragma once
#include <stdbool.h>
#include <sys/stat.h>

/* True if this inode was met before: its first path goes to `first` (PATH_BYTES_MAX + 1 bytes). Else remembers it. */
bool hard_link_seen(const struct stat *status, const char *path, char *first);
