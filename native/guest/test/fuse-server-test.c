#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "fuse-kernel.h"
#include "notices.h"

static uint64_t open_notices(uint64_t node) {
  CHECK(error_of(FUSE_OPEN, node, &(struct fuse_open_in){.flags = O_RDONLY}, sizeof(struct fuse_open_in)) == 0);
  struct fuse_open_out out;
  memcpy(&out, answer.body, sizeof out);
  CHECK(out.open_flags & FOPEN_DIRECT_IO && out.open_flags & FOPEN_STREAM);
  return out.fh;
}

static void read_notices(uint64_t unique, uint64_t node, uint64_t handle, uint32_t size, uint32_t flags) {
  struct fuse_read_in in = {.fh = handle, .size = size, .flags = flags};
  ask(FUSE_READ, unique, node, &in, sizeof in);
}

static void release(uint64_t node, uint64_t handle) {
  struct fuse_release_in in = {.fh = handle};
  CHECK(error_of(FUSE_RELEASE, node, &in, sizeof in) == 0);
}

static void begins_with_a_version_that_both_know(void) {
  struct fuse_init_in in = {.major = 7, .minor = 99};
  CHECK(error_of(FUSE_INIT, 0, &in, sizeof in) == 0);
  struct fuse_init_out out;
  memcpy(&out, answer.body, sizeof out);
  CHECK(out.major == 7 && out.minor < 99 && out.max_write == FUSE_WRITE_MAX);
  CHECK(error_of(FUSE_INIT, 0, &(struct fuse_init_in){.major = 6}, sizeof in) == EPROTO);
}

static void what_is_cut_short_or_unknown_is_an_error(void) {
  CHECK(error_of(FUSE_LOOKUP, FUSE_ROOT_ID, "notify", 6) == EINVAL);
  CHECK(error_of(FUSE_LOOKUP, FUSE_ROOT_ID, "none", 5) == ENOENT);
  CHECK(error_of(FUSE_LOOKUP, 99, "none", 5) == ESTALE);
  CHECK(error_of(FUSE_READ, FUSE_ROOT_ID, NULL, 0) == EINVAL);
  CHECK(error_of(FUSE_WRITE, node_of("scale_to_zero_disable"), &(struct fuse_write_in){.size = 100},
                 sizeof(struct fuse_write_in)) == EINVAL);
  CHECK(error_of(FUSE_MKDIR, FUSE_ROOT_ID, "x", 2) == EPERM);
  CHECK(error_of(FUSE_GETXATTR, FUSE_ROOT_ID, "x", 2) == ENOSYS);
  fuse_handle((const uint8_t *)"short", 5);
  CHECK(!answered());
}

/* Whatever the room for the answer is, each name comes once. */
static void a_directory_is_read_in_pieces(void) {
  for (uint32_t room = 32; room < 300; room += 8) {
    char seen[256] = "";
    for (uint64_t at = 0;;) {
      struct fuse_read_in in = {.offset = at, .size = room};
      CHECK(error_of(FUSE_READDIR, FUSE_ROOT_ID, &in, sizeof in) == 0 && body_length <= room);
      if (body_length == 0) break;
      for (size_t i = 0; i < body_length;) {
        struct fuse_dirent entry;
        memcpy(&entry, answer.body + i, sizeof entry);
        strncat(seen, (const char *)answer.body + i + FUSE_NAME_OFFSET, entry.namelen);
        strcat(seen, "/");
        CHECK(entry.off > at);
        at = entry.off;
        i += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.namelen);
      }
    }
    bool whole = strcmp(seen, "./../vm/scale_to_zero_disable/notify/instance/clone_signal/template_instance/fork/") == 0;
    CHECK(whole || (room < 48 && strcmp(seen, "./../vm/") == 0));
  }
}

static void a_read_waits_for_a_notice_and_an_interrupt_ends_it(void) {
  uint64_t node = node_of("notify"), handle = open_notices(node), other = open_notices(node);
  read_notices(50, node, handle, 4096, 0);
  CHECK(!answered());
  read_notices(51, node, other, 4096, O_NONBLOCK);
  CHECK(answered() && answer.head.error == -EAGAIN);
  notices_add("scaletozero", 11);
  CHECK(answered() && answer.head.unique == 50 && says("scaletozero\n") && !answered());
  read_notices(52, node, other, 5, 0);
  CHECK(answered() && says("scale"));
  read_notices(53, node, other, 4096, 0);
  CHECK(answered() && says("tozero\n"));
  read_notices(54, node, handle, 4096, 0);
  ask(FUSE_INTERRUPT, 55, 0, &(struct fuse_interrupt_in){.unique = 54}, sizeof(struct fuse_interrupt_in));
  CHECK(answered() && answer.head.unique == 54 && answer.head.error == -EINTR && !answered());
  notices_add("later", 5);
  CHECK(!answered());
  release(node, handle);
  release(node, other);
}

static void a_poll_is_woken_once(void) {
  uint64_t node = node_of("notify"), handle = open_notices(node);
  struct fuse_poll_in in = {.fh = handle, .kh = 1234, .flags = FUSE_POLL_SCHEDULE_NOTIFY};
  CHECK(error_of(FUSE_POLL, node, &in, sizeof in) == 0 && answer.body[0] == 0);
  notices_add("a", 1);
  CHECK(answered() && answer.head.unique == 0 && answer.head.error == FUSE_NOTIFY_POLL && answer.body[0] == (1234 & 255));
  notices_add("b", 1);
  CHECK(!answered());
  CHECK(error_of(FUSE_POLL, node, &in, sizeof in) == 0 && answer.body[0] & POLLIN);
  release(node, handle);
}

static void who_is_too_far_behind_goes_on_with_a_whole_line(void) {
  static char line[NOTICE_MAX];
  memset(line, 'x', sizeof line);
  uint64_t node = node_of("notify"), handle = open_notices(node);
  for (int i = 0; i < 20; i++) notices_add(line, 900);
  size_t all = 0;
  for (;;) {
    read_notices(60, node, handle, 4096, O_NONBLOCK);
    CHECK(answered());
    if (answer.head.error) break;
    all += body_length;
  }
  CHECK(all == 4 * 901);
  release(node, handle);
}

static void openings_and_waiters_are_bounded(void) {
  uint64_t node = node_of("notify"), handle = open_notices(node);
  int extra = 0;
  while (error_of(FUSE_OPEN, node, &(struct fuse_open_in){0}, sizeof(struct fuse_open_in)) == 0) CHECK(++extra < 1000);
  CHECK(answer.head.error == -ENFILE);
  uint64_t unique = 1000;
  for (read_notices(unique, node, handle, 100, 0); !answered(); read_notices(unique, node, handle, 100, 0))
    CHECK(++unique < 2000);
  CHECK(answer.head.unique == unique && answer.head.error == -EAGAIN);
  notices_add("all", 3);
  for (uint64_t i = 1000; i < unique; i++) CHECK(answered() && answer.head.unique == i);
  CHECK(!answered());
}

int main(void) {
  begin_kernel();
  begins_with_a_version_that_both_know();
  what_is_cut_short_or_unknown_is_an_error();
  a_directory_is_read_in_pieces();
  a_read_waits_for_a_notice_and_an_interrupt_ends_it();
  a_poll_is_woken_once();
  who_is_too_far_behind_goes_on_with_a_whole_line();
  openings_and_waiters_are_bounded();
}
