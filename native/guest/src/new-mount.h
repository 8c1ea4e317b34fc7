/* Mounts made detached and attached by descriptor: no path is trusted in between (fsopen(2), move_mount(2)). */
#pragma once
#include <stdbool.h>

/* From linux/mount.h, which cannot be included beside sys/mount.h. */
enum { NEW_RDONLY = 1, NEW_NOSUID = 2, NEW_NODEV = 4, NEW_NOEXEC = 8 };

/* `source`: what the file system lies on, or NULL. `options`: name, value, …, NULL; `flags`: name, …, NULL. A descriptor (O_PATH), or -1 with errno. */
int new_mount(const char *type, const char *source, unsigned attributes, const char *const *options,
              const char *const *flags);
/* What is at `path` once more, with its own attributes. A descriptor, or -1 with errno. */
int clone_mount(const char *path, unsigned attributes);
bool attach_mount(int mount, const char *at);
