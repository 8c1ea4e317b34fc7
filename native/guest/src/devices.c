#include "devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "paths.h"

enum { DEVICES_MAX = 64 };
/* Device kinds of the virtio specification, section 5. */
enum { VIRTIO_NET = 1, VIRTIO_BLOCK = 2, VIRTIO_CONSOLE = 3, VIRTIO_ENTROPY = 4, VIRTIO_SCSI = 8 };

static const char bus[] = "/sys/bus/virtio";

/* Disks and NICs in the bus's order, looked up before the snapshot: each look into sysfs costs a restored guest time. */
static struct {
  char name[16];
  int bind;
} late[DEVICES_MAX];
static size_t late_count;

static size_t list_devices(int numbers[DEVICES_MAX]);
static int compare(const void *a, const void *b);
static int kind_of(int number);
static const char *driver_of(int kind);
static void set_driver(int number, const char *driver, const char *action);
static int open_bind(const char *driver);

void devices_hold(void) { write_text(AT_FDCWD, "/sys/bus/virtio/drivers_autoprobe", "0"); }

void devices_settle(void) {
  int numbers[DEVICES_MAX];
  size_t count = list_devices(numbers);
  for (size_t i = 0; i < count; i++) {
    int kind = kind_of(numbers[i]);
    char path[128];
    snprintf(path, sizeof path, "%s/devices/virtio%d/driver", bus, numbers[i]);
    bool bound = access(path, F_OK) == 0;
    bool early = kind == VIRTIO_CONSOLE || kind == VIRTIO_ENTROPY || kind == VIRTIO_SCSI;
    if (early != bound) set_driver(numbers[i], driver_of(kind), early ? "bind" : "unbind");
    if (kind != VIRTIO_BLOCK && kind != VIRTIO_NET) continue;
    snprintf(late[late_count].name, sizeof late->name, "virtio%d", numbers[i]);
    late[late_count++].bind = open_bind(driver_of(kind));
  }
}

void devices_bind(void) {
  for (size_t i = 0; i < late_count; i++)
    if (write(late[i].bind, late[i].name, strlen(late[i].name)) < 0)
      fprintf(stderr, "uni-agent: bind %s: %m\n", late[i].name);
}

/* QEMU's order of slots is not promised: what tells the disks apart is that the image's may not be written. */
bool devices_find_disks(char *root, char *writable, size_t size) {
  *root = *writable = 0;
  for (char letter = 'a'; letter <= 'z'; letter++) {
    char path[64], text[8];
    snprintf(path, sizeof path, "/sys/block/vd%c/ro", letter);
    if (read_text(AT_FDCWD, path, text, sizeof text) < 0) break;
    char *found = text[0] == '1' ? root : writable;
    if (!*found) snprintf(found, size, "vd%c", letter);
  }
  return *root && *writable;
}

static size_t list_devices(int numbers[DEVICES_MAX]) {
  size_t count = 0;
  DIR *devices = opendir("/sys/bus/virtio/devices");
  if (!devices) return 0;
  for (struct dirent *entry; count < DEVICES_MAX && (entry = readdir(devices));)
    if (sscanf(entry->d_name, "virtio%d", &numbers[count]) == 1) count++;
  closedir(devices);
  qsort(numbers, count, sizeof *numbers, compare);
  return count;
}

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static int kind_of(int number) {
  char path[128], text[32];
  snprintf(path, sizeof path, "%s/devices/virtio%d/device", bus, number);
  return read_text(AT_FDCWD, path, text, sizeof text) < 0 ? 0 : (int)strtol(text, NULL, 16);
}

static const char *driver_of(int kind) {
  switch (kind) {
    case VIRTIO_NET: return "virtio_net";
    case VIRTIO_BLOCK: return "virtio_blk";
    case VIRTIO_CONSOLE: return "virtio_console";
    case VIRTIO_ENTROPY: return "virtio_rng";
    case VIRTIO_SCSI: return "virtio_scsi";
    default: return NULL;
  }
}

static void set_driver(int number, const char *driver, const char *action) {
  char path[128], name[32];
  if (!driver) return;
  snprintf(path, sizeof path, "%s/drivers/%s/%s", bus, driver, action);
  snprintf(name, sizeof name, "virtio%d", number);
  if (!write_text(AT_FDCWD, path, name)) fprintf(stderr, "uni-agent: %s %s %s: %m\n", action, name, driver);
}

static int open_bind(const char *driver) {
  char path[128];
  snprintf(path, sizeof path, "%s/drivers/%s/bind", bus, driver);
  return open(path, O_WRONLY | O_CLOEXEC);
}
