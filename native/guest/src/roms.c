#include "roms.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "boot.h"
#include "clock.h"
#include "new-mount.h"
#include "paths.h"

enum { DISK_WAIT_US = 10000000 };

/* By slot; without a name: none. */
static struct {
  char *name, *at;
  int mount;
} mounted[ROMS_MAX];

static bool is_wanted(uint32_t slot, const struct roms *wanted);
static bool is_kept(const struct rom *rom);
static bool same(const char *a, const char *b);
static void remove_rom(uint32_t slot);
static bool make_ready(const struct rom *rom, int *mount, const char **reason);
static bool make_node(const struct rom *rom, const char *node, const char **reason);
static bool mount_apart(const struct rom *rom, const char *node, int *mount, const char **reason);
static bool put_into_place(const struct rom *rom, int mount, const char **reason);
static bool may_mount_at(const char *path);
static bool find_disk(uint32_t slot, dev_t *device, int64_t until, const char **reason);
static bool wait_for_disk(const char *node, int64_t until);
static bool device_of(int host, uint32_t slot, dev_t *device);
static int scsi_host(void);
static void node_of(const char *name, char path[96]);
static void new_node_of(uint32_t slot, char path[96]);
static void forget_ready(const struct rom *rom, int mount);
static bool failed(const char **reason, const char *what, const char *which);

bool roms_mount(const struct roms *wanted, const char **reason) {
  int mounts[ROMS_MAX];
  bool ok = true;
  for (size_t i = 0; i < wanted->count; i++) {
    if (make_ready(&wanted->items[i], &mounts[i], reason)) continue;
    for (size_t made = 0; made <= i; made++) forget_ready(&wanted->items[made], mounts[made]);
    return false;
  }
  for (uint32_t slot = 0; slot < ROMS_MAX; slot++)
    if (mounted[slot].name && !is_wanted(slot, wanted)) remove_rom(slot);
  for (size_t i = 0; i < wanted->count; i++)
    if (!is_kept(&wanted->items[i])) ok &= put_into_place(&wanted->items[i], mounts[i], reason);
  return ok;
}

static bool is_wanted(uint32_t slot, const struct roms *wanted) {
  for (const struct rom *rom = wanted->items; rom < wanted->items + wanted->count; rom++)
    if (rom->slot == slot) return is_kept(rom);
  return false;
}

static bool is_kept(const struct rom *rom) {
  return mounted[rom->slot].name && same(rom->name, mounted[rom->slot].name) && same(rom->at, mounted[rom->slot].at);
}

static bool same(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

/* Unmounted by its own descriptor: what lies at its place by now may be the program's. Its disk stays for those who use it. */
static void remove_rom(uint32_t slot) {
  char path[96];
  if (mounted[slot].mount >= 0) {
    snprintf(path, sizeof path, "self/fd/%d", mounted[slot].mount);
    if (fchdir(boot_proc()) == 0) umount2(path, MNT_DETACH);
    if (chdir("/") != 0) perror("uni-agent: enter the root");
    close(mounted[slot].mount);
  }
  node_of(mounted[slot].name, path);
  unlinkat(boot_dev(), path, 0);
  free(mounted[slot].name);
  free(mounted[slot].at);
  mounted[slot].name = mounted[slot].at = NULL;
}

/* All that may fail for what is on the ROM, while those that are there still are. */
static bool make_ready(const struct rom *rom, int *mount, const char **reason) {
  char node[96];
  *mount = -1;
  if (is_kept(rom)) return true;
  errno = EINVAL;
  if (rom->at && !may_mount_at(rom->at)) return failed(reason, "no ROM is mounted at", rom->at);
  new_node_of(rom->slot, node);
  return make_node(rom, node, reason) && (!rom->at || mount_apart(rom, node, mount, reason));
}

static bool make_node(const struct rom *rom, const char *node, const char **reason) {
  dev_t device;
  int64_t until = monotonic_us() + DISK_WAIT_US;
  /* The disk of a slot that is in use is what it was, and files of it may be open. */
  bool known = mounted[rom->slot].name && device_of(scsi_host(), rom->slot, &device);
  if (!known && !find_disk(rom->slot, &device, until, reason)) return false;
  unlinkat(boot_dev(), node, 0);
  if (mknodat(boot_dev(), node, S_IFBLK | 0444, device) != 0) return failed(reason, "make the device of ROM", rom->name);
  fchmodat(boot_dev(), node, 0444, 0);
  return wait_for_disk(node, until) || failed(reason, "open ROM", rom->name);
}

static bool mount_apart(const struct rom *rom, const char *node, int *mount, const char **reason) {
  static const char *const flags[] = {"ro", NULL};
  if (fchdir(boot_dev()) == 0) *mount = new_mount("erofs", node, NEW_RDONLY | NEW_NOSUID | NEW_NODEV, NULL, flags);
  int error = errno;
  if (chdir("/") != 0) perror("uni-agent: enter the root");
  errno = error;
  if (*mount < 0) return failed(reason, "mount (EROFS) the ROM", rom->name);
  /* EROFS: below a ROM that may be about to go. */
  if (make_directories(AT_FDCWD, rom->at, 0755) || errno == EROFS) return true;
  return failed(reason, "mount a ROM at", rom->at);
}

static bool put_into_place(const struct rom *rom, int mount, const char **reason) {
  char ready[96], node[96];
  new_node_of(rom->slot, ready);
  node_of(rom->name, node);
  if (renameat(boot_dev(), ready, boot_dev(), node) != 0 ||
      (rom->at && !(make_directories(AT_FDCWD, rom->at, 0755) && attach_mount(mount, rom->at)))) {
    failed(reason, "put into place the ROM", rom->name);
    unlinkat(boot_dev(), node, 0);
    forget_ready(rom, mount);
    return false;
  }
  mounted[rom->slot].name = need(strdup(rom->name));
  mounted[rom->slot].at = rom->at ? need(strdup(rom->at)) : NULL;
  mounted[rom->slot].mount = mount;
  return true;
}

static void forget_ready(const struct rom *rom, int mount) {
  char node[96];
  new_node_of(rom->slot, node);
  unlinkat(boot_dev(), node, 0);
  if (mount >= 0) close(mount);
}

/* Not over the agent's own files; a path that goes up again may lead there. */
static bool may_mount_at(const char *path) {
  size_t length;
  bool first = true;
  for (const char *at = path; *at; at += length) {
    at += strspn(at, "/");
    length = strcspn(at, "/");
    if (length == 2 && first && strncmp(at, "uk", 2) == 0) return false;
    if (length > 0 && length <= 2 && strncmp(at, "..", length) == 0) return false;
    if (length > 0) first = false;
  }
  return !first;
}

/* A disk that the slot had before is forgotten: size and contents are this one's. */
static bool find_disk(uint32_t slot, dev_t *device, int64_t until, const char **reason) {
  char path[96], text[32];
  int host = scsi_host();
  *reason = "the kernel has no SCSI over virtio, which ROMs need: get a newer one (uni kernel update)";
  if (host < 0) return false;
  snprintf(path, sizeof path, "class/scsi_device/%d:0:0:%u/device/delete", host, slot);
  write_text(boot_sys(), path, "1");
  snprintf(path, sizeof path, "class/scsi_host/host%d/scan", host);
  snprintf(text, sizeof text, "0 0 %u", slot);
  if (!write_text(boot_sys(), path, text)) return failed(reason, "look for the ROM in slot", text);
  /* The disk's driver finds it in the background (sd_probe is asynchronous). */
  while (!device_of(host, slot, device)) {
    errno = ENXIO;
    if (monotonic_us() > until) return failed(reason, "find the disk of the ROM in slot", text);
    nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
  }
  return true;
}

/* It is in sysfs before it can be opened. */
static bool wait_for_disk(const char *node, int64_t until) {
  for (;;) {
    int fd = openat(boot_dev(), node, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) return close(fd) == 0;
    if (errno != ENXIO || monotonic_us() > until) return false;
    nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
  }
}

static bool device_of(int host, uint32_t slot, dev_t *device) {
  char path[128], text[32];
  unsigned major_number, minor_number;
  snprintf(path, sizeof path, "class/scsi_device/%d:0:0:%u/device/block", host, slot);
  int fd = openat(boot_sys(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *disks = fd < 0 ? NULL : fdopendir(fd);
  bool found = false;
  if (!disks) return false;
  for (struct dirent *disk; !found && (disk = readdir(disks));) {
    if (disk->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%.64s/dev", disk->d_name);
    found = read_text(fd, path, text, sizeof text) > 0 && sscanf(text, "%u:%u", &major_number, &minor_number) == 2;
  }
  if (found) *device = makedev(major_number, minor_number);
  closedir(disks);
  return found;
}

static int scsi_host(void) {
  int number = -1, fd = openat(boot_sys(), "class/scsi_host", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *hosts = fd < 0 ? NULL : fdopendir(fd);
  if (!hosts) return -1;
  for (struct dirent *host; number < 0 && (host = readdir(hosts));)
    if (sscanf(host->d_name, "host%d", &number) != 1) number = -1;
  closedir(hosts);
  return number;
}

static void node_of(const char *name, char path[96]) { snprintf(path, 96, "ukp_rom_%.*s", ROM_NAME_MAX, name); }

static void new_node_of(uint32_t slot, char path[96]) { snprintf(path, 96, ".ukp_rom_%u", slot); }

static bool failed(const char **reason, const char *what, const char *which) {
  static char text[512];
  snprintf(text, sizeof text, "%s %.300s: %s", what, which, strerror(errno));
  *reason = text;
  return false;
}
