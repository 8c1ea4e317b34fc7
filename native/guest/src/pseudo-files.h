/* Where programs find the files of pseudo-tree.h. */
#pragma once

/* Makes the mount, attached to nothing yet, and serves it from now on. -1 where the kernel has no FUSE. */
int pseudo_files_mount(int dev);
/* Attaches it to /uk/libukp of the root that the caller is in. Harmless with -1. */
void pseudo_files_attach(int mount);
