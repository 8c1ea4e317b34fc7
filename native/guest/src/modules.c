#include "modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices.h"
#include "paths.h"

static void load(const char *name);

void modules_load(void) {
  size_t length;
  char *order = read_regular("/modules/order", 1 << 20, &length), *next = order;
  if (!order) return;
  for (char *name; (name = strsep(&next, "\n"));) {
    if (!*name) continue;
    load(name);
    devices_hold(); /* The virtio bus may have come with it. */
  }
  free(order);
}

static void load(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "/modules/%s", name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  /* Else it looks for all disks that there might be, one after the other. */
  const char *parameters = strcmp(name, "scsi_mod.ko") == 0 ? "scan=manual" : "";
  if (fd < 0 || (syscall(SYS_finit_module, fd, parameters, 0) != 0 && errno != EEXIST))
    fprintf(stderr, "uni-agent: load module %s: %s\n", name, strerror(errno));
  close(fd);
  unlink(path); /* Its bytes would stay in RAM for ever. */
}
