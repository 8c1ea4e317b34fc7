#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot-id.h"
#include "boot.h"
#include "devices.h"
#include "new-mount.h"
#include "paths.h"
#include "pseudo-files.h"

/* Made as detached mounts before the snapshot, attached by descriptor after it: no path of the image is trusted with them. */
struct kernel_mount {
  const char *type, *at;
  unsigned attributes;
  const char *options[8]; /* name, value, …, NULL */
  int fd;
};

static struct kernel_mount mounts[] = {
    {"proc", "/proc", NEW_NOSUID | NEW_NODEV | NEW_NOEXEC, {0}, -1},
    {"sysfs", "/sys", NEW_NOSUID | NEW_NODEV | NEW_NOEXEC, {0}, -1},
    {"cgroup2", "/sys/fs/cgroup", NEW_NOSUID | NEW_NODEV | NEW_NOEXEC, {0}, -1},
    {"devtmpfs", "/dev", NEW_NOSUID, {0}, -1},
    {"devpts", "/dev/pts", NEW_NOSUID | NEW_NOEXEC, {"gid", "5", "mode", "0620", "ptmxmode", "0666"}, -1},
    {"tmpfs", "/dev/shm", NEW_NOSUID | NEW_NODEV, {"mode", "1777"}, -1},
    {"mqueue", "/dev/mqueue", NEW_NOSUID | NEW_NODEV | NEW_NOEXEC, {0}, -1},
};
enum { MOUNTS = sizeof mounts / sizeof *mounts };

static int disk = -1, pts = -1, libukp = -1;

static int make_mount(const struct kernel_mount *wanted);
static bool mount_disks(const char **reason);
static void make_upper(void);
static bool switch_root(void);
static bool failed(const char **reason, const char *what);

void root_prepare(void) {
  int dev = boot_dev();
  mkdirat(dev, "pts", 0755), mkdirat(dev, "shm", 0755), mkdirat(dev, "mqueue", 0755);
  symlinkat("/proc/self/fd", dev, "fd"), symlinkat("/proc/self/fd/0", dev, "stdin");
  symlinkat("/proc/self/fd/1", dev, "stdout"), symlinkat("/proc/self/fd/2", dev, "stderr");
  mkdir("/lower", 0755), mkdir("/writable", 0755), mkdir("/merged", 0755);
  for (size_t i = 0; i < MOUNTS; i++) mounts[i].fd = make_mount(&mounts[i]);
  libukp = pseudo_files_mount(dev);
  boot_id_prepare();
}

bool root_enter(const char **reason) {
  if (!mount_disks(reason)) return false;
  if (!switch_root()) return failed(reason, "enter the root");
  for (size_t i = 0; i < MOUNTS; i++) {
    struct kernel_mount *mount = &mounts[i];
    if (mount->fd < 0) continue;
    /* Only three are at places that the image must bring; the others are in those. */
    if (attach_mount(mount->fd, mount->at)) continue;
    mkdir(mount->at, 0755);
    if (!attach_mount(mount->fd, mount->at))
      fprintf(stderr, "uni-agent: mount %s at %s: %m\n", mount->type, mount->at);
  }
  pseudo_files_attach(libukp);
  boot_id_attach();
  return true;
}

int root_pts(void) { return pts; }

int root_disk(void) { return disk; }

/* FIFREEZE writes all back and empties the journal without asking who still holds files (ext4_freeze); sync is the next best. */
void root_freeze(void) {
  if (disk < 0 || ioctl(disk, FIFREEZE, 0) != 0) sync();
}

static int make_mount(const struct kernel_mount *wanted) {
  int fd = new_mount(wanted->type, NULL, wanted->attributes, wanted->options, NULL);
  /* The descriptor that attaches a mount is O_PATH: opening terminals needs another. */
  if (fd >= 0 && strcmp(wanted->type, "devpts") == 0) pts = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd;
}

static bool mount_disks(const char **reason) {
  char root[16], writable[16], path[32];
  if (!devices_find_disks(root, writable, sizeof root)) return *reason = "the machine's two disks are not there", false;
  snprintf(path, sizeof path, "/dev/%s", root);
  if (mount(path, "/lower", "erofs", MS_RDONLY, NULL) != 0) return failed(reason, "mount the image's root (EROFS)");
  snprintf(path, sizeof path, "/dev/%s", writable);
  if (mount(path, "/writable", "ext4", 0, "noinit_itable") != 0) return failed(reason, "mount the writable disk (ext4)");
  disk = open("/writable", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  make_upper();
  if (mount("overlay", "/merged", "overlay", 0, "lowerdir=/lower,upperdir=/writable/upper,workdir=/writable/work") != 0)
    return failed(reason, "mount the overlay of both disks");
  return true;
}

/* The upper directory lends its owner and mode to the root: it takes over the image's. */
static void make_upper(void) {
  struct stat lower;
  mkdir("/writable/work", 0700);
  if (mkdir("/writable/upper", 0755) != 0 || stat("/lower", &lower) != 0) return;
  if (chown("/writable/upper", lower.st_uid, lower.st_gid) == 0) chmod("/writable/upper", lower.st_mode & 07777);
}

/*
 * As switch_root does: the overlay covers the initramfs, so that the kernel does not take the program for one in a chroot
 * (current_chrooted() forbids user namespaces there). The agent's own mounts stay below, held by descriptors.
 */
static bool switch_root(void) {
  return chdir("/merged") == 0 && mount(".", "/", NULL, MS_MOVE, NULL) == 0 && chroot(".") == 0 && chdir("/") == 0;
}

static bool failed(const char **reason, const char *what) {
  static char text[256];
  snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
  *reason = text;
  return false;
}
