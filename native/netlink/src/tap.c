#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int tap_make(const struct tap *tap) {
  struct ifreq request = {0};
  if (strlen(tap->device) >= sizeof request.ifr_name) return ENAMETOOLONG;
  strcpy(request.ifr_name, tap->device);
  /* In the kernel's flags, which do not fit a signed short. */
  unsigned flags = (tap->is_tun ? IFF_TUN : IFF_TAP) | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL;
  request.ifr_flags = (short)flags;
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (fd < 0) return errno;
  int failed = ioctl(fd, TUNSETIFF, &request) < 0 || (tap->has_owner && ioctl(fd, TUNSETOWNER, (long)tap->owner) < 0) ||
               ioctl(fd, TUNSETPERSIST, 1L) < 0;
  int reason = failed ? errno : 0;
  close(fd);
  return reason;
}
