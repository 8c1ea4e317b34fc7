#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <sys/types.h>

struct tap {
  const char *device;
  /* A TUN carries packets, a TAP frames. */
  bool is_tun;
  bool has_owner;
  uid_t owner;
};

/* Persistent, with the virtio-net header. 0, or why not: EBUSY if there is such a device. */
int tap_make(const struct tap *tap);

#endif
