/* Writes that wait for the host, and what they come to: here, in a clone, and when somebody is killed. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#include "children.h"
#include "clone-signal.h"
#include "forks.h"
#include "fuse-kernel.h"
#include "requests.h"
#include "template-request.h"

static const char child_id[] = "22222222-2222-4222-8222-222222222222";
static const char snapshot_id[] = "33333333-3333-4333-8333-333333333333";

static void write_to(uint64_t unique, uint64_t node, const char *text, uint32_t flags) {
  struct {
    struct fuse_write_in in;
    char text[64];
  } message = {.in = {.size = (uint32_t)strlen(text), .flags = flags}};
  memcpy(message.text, text, strlen(text));
  ask(FUSE_WRITE, unique, node, &message, sizeof message.in + strlen(text));
}

static int write_error(uint64_t node, const char *text, uint32_t flags) {
  write_to(7, node, text, flags);
  CHECK(answered() && answer.head.unique == 7);
  return -answer.head.error;
}

static int read_error(uint64_t node) {
  struct fuse_read_in in = {.size = 4096};
  return error_of(FUSE_READ, node, &in, sizeof in);
}

static void interrupt_write(uint64_t unique) {
  ask(FUSE_INTERRUPT, 900, 0, &(struct fuse_interrupt_in){.unique = unique}, sizeof(struct fuse_interrupt_in));
}

static bool returned(uint64_t unique, int error) {
  return answered() && answer.head.unique == unique && -answer.head.error == error;
}

static void a_template_is_asked_for_once_by_all_who_wait(void) {
  uint64_t node = node_of("template_instance");
  CHECK(write_error(node, "2", 0) == EINVAL && write_error(node, "", 0) == EINVAL && write_error(node, "11", 0) == EINVAL);
  CHECK(write_error(node, "1", O_NONBLOCK) == EAGAIN);
  write_to(10, node, "1", 0);
  write_to(11, node, "1\n", 0);
  CHECK(!answered());
  template_request_answer(99, EPERM);
  CHECK(!answered());
  interrupt_write(10);
  CHECK(returned(10, EINTR));
  template_request_answer(1, EPERM);
  CHECK(returned(11, EPERM) && !answered());
  write_to(12, node, "1", 0);
  template_request_answer(1, EPERM);
  CHECK(!answered());
  template_request_become(BECOME_TEMPLATE);
  struct fuse_write_out out;
  CHECK(returned(12, 0) && body_length == sizeof out);
  memcpy(&out, answer.body, sizeof out);
  CHECK(out.size == 1);
  write_to(13, node, "1", 0);
  template_request_become(BECOME_BRANCH);
  CHECK(returned(13, EIO));
  for (uint64_t i = 0; i < 64; i++) write_to(100 + i, node, "1", 0);
  CHECK(!answered() && write_error(node, "1", 0) == EBUSY);
  template_request_become(BECOME_REWIND);
  for (uint64_t i = 0; i < 64; i++) CHECK(returned(100 + i, EIO));
}

static void only_the_thread_that_forked_reads_its_child(void) {
  uint64_t node = node_of("fork");
  CHECK(read_error(node) == 0 && body_length == 0);
  write_to(20, node, "x", 0);
  asking_thread = 101;
  write_to(21, node, "x", 0);
  forks_tell();
  forks_answer(2, 0, child_id);
  CHECK(!answered());
  forks_answer(1, 0, child_id);
  CHECK(returned(20, 0));
  CHECK(read_error(node) == 0 && body_length == 0);
  asking_thread = 100;
  CHECK(read_error(node) == 0 && says("22222222-2222-4222-8222-222222222222\n"));
  forks_answer(2, EIO, NULL);
  CHECK(returned(21, EIO) && !answered());
}

static void in_the_child_the_fork_reads_zeros_and_those_behind_it_fail(void) {
  uint64_t node = node_of("fork");
  asking_thread = 200;
  write_to(30, node, "x", 0);
  forks_tell();
  asking_thread = 201;
  write_to(31, node, "x", 0);
  forks_become(BECOME_FORK);
  CHECK(returned(30, 0) && returned(31, EIO) && !answered());
  CHECK(read_error(node) == 0 && body_length == 0);
  asking_thread = 200;
  CHECK(read_error(node) == 0 && says("00000000-0000-0000-0000-000000000000\n"));
  asking_thread = 100;
  CHECK(read_error(node) == 0 && body_length == 0);
}

static void forks_queue_up_to_a_bound_and_a_killed_one_leaves(void) {
  uint64_t node = node_of("fork");
  for (uint64_t i = 0; i < 16; i++) write_to(40 + i, node, "x", 0);
  CHECK(!answered() && write_error(node, "x", 0) == EBUSY);
  forks_tell();
  for (uint64_t i = 0; i < 16; i++) {
    interrupt_write(40 + i);
    CHECK(returned(40 + i, EINTR));
  }
  write_to(60, node, "x", 0);
  forks_become(BECOME_FORK);
  CHECK(returned(60, EIO)); /* The one that the host was told of is gone: this one did not make the child. */
}

static uint64_t node_of_child(void) {
  children_add(child_id, snapshot_id, 1700000000);
  return node_in(node_of("vm"), child_id);
}

static void a_child_has_its_directory(void) {
  uint64_t directory = node_of_child();
  CHECK(read_error(directory) == EISDIR);
  CHECK(read_error(node_in(directory, "snapshot")) == 0 && says("33333333-3333-4333-8333-333333333333\n"));
  CHECK(read_error(node_in(directory, "creation_time")) == 0 && says("1700000000\n"));
  CHECK(read_error(node_in(directory, "status")) == 0 && says("Starting\n"));
  children_change(child_id, CHILD_RUNNING, 0);
  CHECK(read_error(node_in(directory, "status")) == 0 && says("Running\n"));
  CHECK(error_of(FUSE_LOOKUP, directory, "none", 5) == ENOENT);
  CHECK(error_of(FUSE_LOOKUP, node_of("vm"), "none", 5) == ENOENT);
  char seen[128] = "";
  for (uint64_t at = 0, left = 1; left;) {
    struct fuse_read_in in = {.offset = at, .size = 64};
    CHECK(error_of(FUSE_READDIR, directory, &in, sizeof in) == 0);
    for (left = body_length; left;) {
      struct fuse_dirent entry;
      memcpy(&entry, answer.body + (body_length - left), sizeof entry);
      strncat(seen, (char *)answer.body + (body_length - left) + FUSE_NAME_OFFSET, entry.namelen);
      strcat(seen, " ");
      at = entry.off;
      left -= FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.namelen);
      if (!left) {
        left = 1;
        break;
      }
    }
  }
  CHECK(strcmp(seen, ". .. snapshot creation_time status wait ") == 0);
}

static void who_waits_for_a_child_learns_its_end(void) {
  uint64_t node = node_in(node_of_child(), "wait");
  CHECK(error_of(FUSE_OPEN, node, &(struct fuse_open_in){.flags = O_RDWR}, sizeof(struct fuse_open_in)) == 0);
  struct fuse_open_out out;
  memcpy(&out, answer.body, sizeof out);
  struct fuse_poll_in poll_in = {.fh = out.fh, .kh = 77, .flags = FUSE_POLL_SCHEDULE_NOTIFY};
  CHECK(error_of(FUSE_POLL, node, &poll_in, sizeof poll_in) == 0 && !(answer.body[0] & POLLIN));
  CHECK(read_error(node) == EAGAIN && write_error(node, "1", O_NONBLOCK) == EAGAIN);
  write_to(70, node, "1", 0);
  write_to(71, node, "1", 0);
  children_change(child_id, CHILD_STOPPING, 0);
  CHECK(!answered());
  children_change(child_id, CHILD_STOPPED, 42);
  CHECK(returned(70, 0) && returned(71, 0));
  CHECK(answered() && answer.head.error == FUSE_NOTIFY_POLL && answer.body[0] == 77 && !answered());
  CHECK(write_error(node, "1", 0) == 0 && read_error(node) == 0 && says("42\n"));
  CHECK(error_of(FUSE_POLL, node, &poll_in, sizeof poll_in) == 0 && answer.body[0] & POLLIN);
}

static void a_child_of_the_machine_before_is_stale(void) {
  uint64_t directory = node_of_child();
  children_change(child_id, CHILD_RUNNING, 0);
  uint64_t node = node_in(directory, "wait");
  write_to(80, node, "1", 0);
  forks_become(BECOME_REWIND);
  CHECK(!answered());
  forks_become(BECOME_FORK);
  CHECK(returned(80, ESTALE));
  CHECK(read_error(node) == ESTALE && error_of(FUSE_LOOKUP, directory, "wait", 5) == ESTALE);
  CHECK(error_of(FUSE_LOOKUP, node_of("vm"), child_id, sizeof child_id) == ENOENT);
}

static void children_and_polls_are_bounded(void) {
  char id[37];
  for (int i = 0; i < 1000; i++) {
    snprintf(id, sizeof id, "%08d-0000-4000-8000-000000000000", i);
    children_add(id, snapshot_id, 0);
    if (i == 3) children_change(id, CHILD_STOPPED, 0);
    if (i == 255) CHECK(children_have_room());
    if (i == 256) CHECK(!children_have_room());
  }
  CHECK(write_error(node_of("fork"), "x", 0) == EAGAIN);
  CHECK(error_of(FUSE_LOOKUP, node_of("vm"), "00000003-0000-4000-8000-000000000000", 37) == ENOENT);
  uint64_t node = node_in(node_in(node_of("vm"), id), "wait");
  for (uint64_t handle = 1; handle <= 65; handle++) {
    struct fuse_poll_in in = {.fh = handle, .kh = handle, .flags = FUSE_POLL_SCHEDULE_NOTIFY};
    CHECK(error_of(FUSE_POLL, node, &in, sizeof in) == 0 && !(answer.body[0] & POLLERR) == (handle <= 64));
  }
  struct fuse_release_in release = {.fh = 5};
  CHECK(error_of(FUSE_RELEASE, node, &release, sizeof release) == 0);
  struct fuse_poll_in in = {.fh = 65, .kh = 65, .flags = FUSE_POLL_SCHEDULE_NOTIFY};
  CHECK(error_of(FUSE_POLL, node, &in, sizeof in) == 0 && !(answer.body[0] & POLLERR));
  children_clear();
  for (int i = 0; i < 64; i++) CHECK(answered() && answer.head.error == FUSE_NOTIFY_POLL);
  CHECK(!answered() && children_have_room());
}

static void a_signal_has_a_name_or_a_number(void) {
  uint64_t node = node_of("clone_signal");
  CHECK(read_error(node) == 0 && says("none\n") && clone_signal() == 0);
  CHECK(write_error(node, "HUP\n", 0) == 0 && read_error(node) == 0 && says("SIGHUP\n"));
  CHECK(write_error(node, "SIGUSR2", 0) == 0 && clone_signal() == 12);
  CHECK(write_error(node, "34", 0) == 0 && read_error(node) == 0 && says("34\n"));
  static const char *const bad[] = {"", "\n", "65", "-1", "1x", "usr1", "SIG", "SIGNONE", "NO", "none\n\n"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(write_error(node, bad[i], 0) == EINVAL);
  CHECK(clone_signal() == 34 && write_error(node, "none", 0) == 0 && clone_signal() == 0);
}

int main(void) {
  begin_kernel();
  a_template_is_asked_for_once_by_all_who_wait();
  only_the_thread_that_forked_reads_its_child();
  in_the_child_the_fork_reads_zeros_and_those_behind_it_fail();
  forks_queue_up_to_a_bound_and_a_killed_one_leaves();
  a_child_has_its_directory();
  who_waits_for_a_child_learns_its_end();
  a_child_of_the_machine_before_is_stale();
  children_and_polls_are_bounded();
  a_signal_has_a_name_or_a_number();
}
