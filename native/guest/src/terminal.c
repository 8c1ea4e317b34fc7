#include "terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include "platform.h"

/* A keyboard's echo is read at once: what comes next to it is what waits. */
enum { FEW_BYTES = 1024, REST_US = 1000 };

/* Both ends come from descriptors, not from names that a program of the guest could have replaced. */
bool terminal_open(const struct process_spec *spec, int *master, int *peer) {
  int unlock = 0;
  *peer = -1;
  *master = openat(platform_pts(), "ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (*master < 0 || ioctl(*master, TIOCSPTLCK, &unlock) != 0) return false;
  *peer = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*peer < 0) return false;
  struct winsize window = {.ws_row = spec->rows, .ws_col = spec->columns};
  ioctl(*master, TIOCSWINSZ, &window);
  return true;
}

void terminal_emptied(struct source *source, size_t *got) {
  if (*got > 0 && *got < FEW_BYTES) loop_rest(source, REST_US);
  *got = 0;
}
