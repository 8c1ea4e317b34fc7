#include "boot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "devices.h"
#include "modules.h"
#include "network.h"
#include "paths.h"

enum { PORT_WAIT_US = 30000000 };

static int proc = -1, dev = -1, sys = -1;

static void open_console(void);
static void set_kernel_defaults(void);
static bool port_name(char *device, size_t size);

void boot_machine(void) {
  mkdir("/proc", 0555), mkdir("/sys", 0555), mkdir("/dev", 0755);
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sysfs", "/sys", "sysfs", 0, NULL);
  mount("devtmpfs", "/dev", "devtmpfs", 0, "mode=0755");
  open_console();
  proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  sys = open("/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0 || dev < 0 || sys < 0) abort();
  write_text(proc, "self/oom_score_adj", "-1000");
  devices_hold();
  modules_load();
  devices_settle();
  set_kernel_defaults();
  network_loopback_up();
}

int boot_find_port(void) {
  char device[256];
  int64_t until = monotonic_us() + PORT_WAIT_US;
  while (!port_name(device, sizeof device)) {
    if (monotonic_us() > until) {
      fprintf(stderr, "uni-agent: no virtio-serial port is named uni.agent\n");
      abort();
    }
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return openat(dev, device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

int boot_proc(void) { return proc; }

int boot_dev(void) { return dev; }

int boot_sys(void) { return sys; }

/* The kernel opened /dev/console for us only if the initramfs has that node. 0 to 2 must not become anything else. */
static void open_console(void) {
  int fd = open("/dev/console", O_RDWR | O_NOCTTY);
  if (fd < 0) fd = open("/dev/null", O_RDWR);
  for (int i = 0; i <= 2; i++)
    if (fd >= 0 && fd != i) dup2(fd, i);
  if (fd > 2) close(fd);
}

/* As in a Docker container: low ports and ping for everybody. The NIC has no IPv6 address, so it sends no solicitations. */
static void set_kernel_defaults(void) {
  write_text(proc, "sys/net/ipv4/ip_unprivileged_port_start", "0");
  write_text(proc, "sys/net/ipv4/ping_group_range", "0 2147483647");
  write_text(proc, "sys/net/ipv6/conf/default/disable_ipv6", "1");
}

static bool port_name(char *device, size_t size) {
  DIR *ports = opendir("/sys/class/virtio-ports");
  if (!ports) return false;
  bool found = false;
  for (struct dirent *port; !found && (port = readdir(ports));) {
    char path[512], name[64];
    snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", port->d_name);
    if (port->d_name[0] == '.' || read_text(AT_FDCWD, path, name, sizeof name) < 0) continue;
    found = strcmp(name, "uni.agent\n") == 0;
    snprintf(device, size, "%s", port->d_name);
  }
  closedir(ports);
  return found && faccessat(dev, device, F_OK, 0) == 0;
}
