/*
 * For tests on the host: `agent-test SOCKET ROOT` serves SOCKET as QEMU would and takes the directory ROOT for the
 * machine's root. It changes neither clock nor entropy, which no namespace holds apart.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "etc-files.h"
#include "event-loop.h"
#include "platform.h"
#include "pseudo-files.h"

static struct source listener = {.fd = -1};
static bool connected;
static void (*on_opened)(int fd);
static int proc = -1, dev = -1, pts = -1, root = -1, libukp = -1;

static int listen_at(const char *path);
static void take_next(struct source *source, uint32_t events);

void platform_boot(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: agent-test SOCKET ROOT\n");
    exit(64);
  }
  listener.fd = listen_at(argv[1]);
  root = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  pts = open("/dev/pts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listener.fd < 0 || root < 0 || proc < 0 || dev < 0) {
    perror("agent-test");
    exit(1);
  }
  libukp = pseudo_files_mount(dev);
}

void platform_watch_channel(void (*opened)(int fd)) {
  on_opened = opened;
  listener.ready = take_next;
  if (!loop_watch(&listener)) abort();
}

bool platform_channel_dies(void) { return true; }

void platform_channel_closed(void) {
  connected = false;
  take_next(&listener, 0);
}

/* One at a time, as QEMU does. */
static void take_next(struct source *source, uint32_t events) {
  (void)events;
  int fd = connected ? -1 : accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  connected = true;
  on_opened(fd);
}

bool platform_configure(const struct configuration *config, const char **reason) {
  *reason = "enter the test's root";
  if (fchdir(root) != 0 || chroot(".") != 0) return false;
  pseudo_files_attach(libukp);
  write_etc_files(&config->self);
  return true;
}

bool platform_become(const struct self *old, const struct becoming *wanted, const char **reason) {
  if (!platform_set_roms(&wanted->self.roms, reason)) return false;
  sethostname(wanted->self.hostname, strlen(wanted->self.hostname));
  change_etc_files(old, &wanted->self);
  return true;
}

bool platform_set_roms(const struct roms *roms, const char **reason) {
  *reason = "a test on the host has no ROMs";
  return roms->count == 0;
}

void platform_set_moment(const struct host_moment *moment) { (void)moment; }

int platform_proc(void) { return proc; }

int platform_dev(void) { return dev; }

int platform_pts(void) { return pts; }

int platform_disk(void) { return root; }

int platform_kernel_log(void) { return -1; }

bool platform_owns_all_processes(void) { return getpid() == 1; }

void platform_sync(void) {}

void platform_reset(void) { exit(0); }

/* The name appears when one can connect to it. */
static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (strlen(path) + 5 > sizeof address.sun_path) return errno = ENAMETOOLONG, -1;
  snprintf(address.sun_path, sizeof address.sun_path, "%s.new", path);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 8) != 0) return -1;
  if (rename(address.sun_path, path) != 0) return -1;
  return fd;
}
