#include <fcntl.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "boot-id.h"
#include "boot.h"
#include "devices.h"
#include "etc-files.h"
#include "network.h"
#include "platform.h"
#include "roms.h"
#include "root.h"

static int port = -1, kernel_log = -1, entropy = -1;

void platform_boot(int argc, char **argv) {
  (void)argc, (void)argv;
  boot_machine();
  root_prepare();
  kernel_log = openat(boot_dev(), "kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  entropy = openat(boot_dev(), "urandom", O_RDWR | O_CLOEXEC);
  port = boot_find_port();
}

void platform_watch_channel(void (*opened)(int fd)) { opened(port); }

bool platform_channel_dies(void) { return false; }

void platform_channel_closed(void) {}

bool platform_configure(const struct configuration *config, const char **reason) {
  const struct self *self = &config->self;
  sethostname(self->hostname, strlen(self->hostname));
  boot_id_renew();
  devices_bind();
  if (self->address && self->gateway && !network_configure(self->address, self->gateway, reason)) return false;
  if (!root_enter(reason)) return false;
  write_etc_files(self);
  return platform_set_roms(&self->roms, reason);
}

bool platform_become(const struct self *old, const struct becoming *wanted, const char **reason) {
  const struct self *self = &wanted->self;
  if (wanted->kind != BECOME_REWIND) boot_id_renew();
  sethostname(self->hostname, strlen(self->hostname));
  change_etc_files(old, self);
  if (!network_become(wanted->mac, old->address, self->address, self->gateway, reason)) return false;
  return platform_set_roms(&self->roms, reason);
}

bool platform_set_roms(const struct roms *roms, const char **reason) { return roms_mount(roms, reason); }

/* Two guests restored from one snapshot have one random generator until it is fed and told to use it at once. */
void platform_set_moment(const struct host_moment *moment) {
  struct timespec now = {.tv_sec = (time_t)(moment->time_us / 1000000), .tv_nsec = (long)(moment->time_us % 1000000) * 1000};
  if (moment->time_us) clock_settime(CLOCK_REALTIME, &now);
  if (!moment->seed_length) return;
  struct {
    int entropy_count, buf_size;
    uint8_t seed[sizeof moment->seed];
  } fresh = {.entropy_count = (int)moment->seed_length * 8, .buf_size = (int)moment->seed_length};
  memcpy(fresh.seed, moment->seed, moment->seed_length);
  ioctl(entropy, RNDADDENTROPY, &fresh);
  ioctl(entropy, RNDRESEEDCRNG);
}

int platform_proc(void) { return boot_proc(); }

int platform_dev(void) { return boot_dev(); }

int platform_pts(void) { return root_pts(); }

int platform_disk(void) { return root_disk(); }

int platform_kernel_log(void) {
  lseek(kernel_log, 0, SEEK_END);
  return kernel_log;
}

bool platform_owns_all_processes(void) { return getpid() == 1; }

void platform_sync(void) { root_freeze(); }

void platform_reset(void) {
  reboot(RB_AUTOBOOT);
  abort();
}
