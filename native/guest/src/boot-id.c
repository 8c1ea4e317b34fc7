#include "boot-id.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "new-mount.h"

static const char path[] = "/boot_id";
static int file = -1, mount = -1;

void boot_id_prepare(void) {
  file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0444);
  mount = clone_mount(path, NEW_RDONLY | NEW_NOSUID | NEW_NODEV | NEW_NOEXEC);
}

void boot_id_attach(void) {
  static const char at[] = "/proc/sys/kernel/random/boot_id";
  if (mount < 0 || !attach_mount(mount, at)) fprintf(stderr, "uni-agent: mount the boot id at %s: %m\n", at);
}

/* As the kernel makes one (RFC 9562, version 4). One write of one line: a reader sees the old or the new. */
void boot_id_renew(void) {
  uint8_t id[16];
  char text[40];
  if (getrandom(id, sizeof id, 0) != sizeof id) return;
  id[6] = (uint8_t)((id[6] & 0x0f) | 0x40), id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
  size_t used = 0;
  for (size_t i = 0; i < sizeof id; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id[i]);
  text[used++] = '\n';
  if (pwrite(file, text, used, 0) < 0) perror("uni-agent: write the boot id");
}
