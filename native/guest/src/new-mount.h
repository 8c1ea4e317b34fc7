/* Mounts made detached and attached by descriptor: no path is trusted in between (fsopen(2), move_mount(2)). */
#pragma once
#include <stdbool.h>

/* From linux/mount.h, which cannot be included beside sys/mount.h. */
enum { NEW_NOSUID = 2, NEW_NODEV = 4, NEW_NOEXEC = 8 };

/* `options`: name, value, …, NULL; `flags`: name, …, NULL. A descriptor (O_PATH), or -1 with errno. */
int new_mount(const char *type, unsigned attributes, const char *const *options, const char *const *flags);
bool attach_mount(int mount, const char *at);
