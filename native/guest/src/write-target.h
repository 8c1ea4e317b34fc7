/* Where entries land, by docker cp's rules: in `path` if that is a directory, else the single top entry becomes `path`. */
#pragma once
#include <stdbool.h>

/* NULL, or why nothing can be written there. */
const char *write_target_set(const char *path);
/* The absolute path of an entry (PATH_BYTES_MAX + 1 bytes); false if it has none. */
bool write_target_path(const char *entry_path, char *path);
