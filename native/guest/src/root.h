/* The program's root: the image's EROFS below, the instance's ext4 above, kernel file systems inside. */
#pragma once
#include <stdbool.h>

/* Makes ready, before the snapshot, what does not depend on the instance. */
void root_prepare(void);
/* Mounts the disks, makes them the root of the agent and of all it starts. False with a reason. */
bool root_enter(const char **reason);
/* Directory of devpts; directory on the writable disk. */
int root_pts(void);
int root_disk(void);
/* Everything is on the disk, and its journal is empty. */
void root_freeze(void);
