#include "new-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From linux/mount.h. */
struct mount_attr {
  uint64_t attr_set, attr_clr, propagation, userns_fd;
};
enum { TREE_CLONE = 1, TREE_CLOSE_ON_EXEC = O_CLOEXEC };
enum { CLOSE_ON_EXEC = 1, CONFIG_SET_FLAG = 0, CONFIG_SET_STRING = 1, CONFIG_CREATE = 6, MOVE_FROM_EMPTY_PATH = 4 };

int new_mount(const char *type, const char *source, unsigned attributes, const char *const *options,
              const char *const *flags) {
  int context = (int)syscall(SYS_fsopen, type, CLOSE_ON_EXEC);
  if (context < 0) return -1;
  syscall(SYS_fsconfig, context, CONFIG_SET_STRING, "source", source ? source : type, 0);
  for (size_t i = 0; options && options[i]; i += 2)
    syscall(SYS_fsconfig, context, CONFIG_SET_STRING, options[i], options[i + 1], 0);
  for (size_t i = 0; flags && flags[i]; i++) syscall(SYS_fsconfig, context, CONFIG_SET_FLAG, flags[i], NULL, 0);
  int fd = -1;
  if (syscall(SYS_fsconfig, context, CONFIG_CREATE, NULL, NULL, 0) == 0)
    fd = (int)syscall(SYS_fsmount, context, CLOSE_ON_EXEC, attributes);
  int error = errno;
  close(context);
  errno = error;
  return fd;
}

int clone_mount(const char *path, unsigned attributes) {
  struct mount_attr wanted = {.attr_set = attributes};
  int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, TREE_CLONE | TREE_CLOSE_ON_EXEC);
  if (fd < 0) return -1;
  if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &wanted, sizeof wanted) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

bool attach_mount(int mount, const char *at) {
  return syscall(SYS_move_mount, mount, "", AT_FDCWD, at, MOVE_FROM_EMPTY_PATH) == 0;
}
