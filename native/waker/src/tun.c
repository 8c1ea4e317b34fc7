#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "packet.h"

static void fail(const char *what, const char *on);

int tun_open(const char *name) {
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
  if (strlen(name) >= sizeof request.ifr_name) errno = ENAMETOOLONG, fail("open", name);
  strcpy(request.ifr_name, name);
  int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun < 0) fail("open", "/dev/net/tun");
  if (ioctl(tun, TUNSETIFF, &request) < 0) fail("take", name);
  int header = VNET_HEADER;
  if (ioctl(tun, TUNSETVNETHDRSZ, &header) < 0) fail("set the header of", name);
  /* No offloads: the kernel cuts packets to the MTU, and fills in the checksums that it would leave to hardware. */
  if (ioctl(tun, TUNSETOFFLOAD, 0) < 0) fail("set the offloads of", name);
  return tun;
}

int tun_read(int tun, uint8_t *frame, size_t size) {
  ssize_t length = read(tun, frame, size);
  if (length >= 0) return (int)length;
  return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

bool tun_write(int tun, const uint8_t *frame, size_t length) { return write(tun, frame, length) == (ssize_t)length; }

static void fail(const char *what, const char *on) {
  fprintf(stderr, "waker: %s %s: %s\n", what, on, strerror(errno));
  exit(1);
}
