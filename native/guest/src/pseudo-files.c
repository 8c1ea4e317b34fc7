#include "pseudo-files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuse-server.h"
#include "new-mount.h"

int pseudo_files_mount(int dev) {
  char number[16];
  int device = openat(dev, "fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) return -1;
  snprintf(number, sizeof number, "%d", device);
  /* Other users than root may come in, and the kernel checks the modes that we tell it. */
  const char *options[] = {"fd", number, "rootmode", "40555", "user_id", "0", "group_id", "0", NULL};
  const char *flags[] = {"allow_other", "default_permissions", NULL};
  int mount = new_mount("fuse", NULL, NEW_NOSUID | NEW_NODEV | NEW_NOEXEC, options, flags);
  if (mount >= 0 && fuse_serve(device)) return mount;
  close(device);
  if (mount >= 0) close(mount);
  return -1;
}

void pseudo_files_attach(int mount) {
  static const char at[] = "/uk/libukp";
  if (mount < 0) return;
  mkdir("/uk", 0755);
  mkdir(at, 0755);
  if (!attach_mount(mount, at)) fprintf(stderr, "uni-agent: mount the pseudo files at %s: %m\n", at);
}
