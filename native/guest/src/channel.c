#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "event-loop.h"
#include "platform.h"
#include "session.h"

/* One write fills at most one buffer of virtio_console, which takes 32 KiB. */
enum { WRITE_BYTES = 32 << 10, ROUNDS = 16, DOUBT_US = 300000 };

static struct source source = {.fd = -1};
static struct frame_reader reader;
static struct bytes control, out;
static size_t written;

static void opened(int fd);
static void ready(struct source *unused, uint32_t events);
static void receive(void);
static void begin(const struct hello *hello);
static void doubtful(void);
static void doubt_over(void);
static void lost(void);
static bool flush(void);
static struct timer doubt = {.fire = doubt_over};

void channel_open(void) { platform_watch_channel(opened); }

bool channel_synced(void) { return reader.synced; }

void channel_send(uint16_t id, uint8_t type, uint8_t flags, const void *payload, size_t length) {
  if (!reader.synced) return;
  frame_put(&control, reader.tag, &(struct frame){id, type, flags, (uint32_t)length, payload});
}

void channel_fill(uint16_t id, uint8_t type, uint8_t flags, const void *payload, size_t length) {
  frame_put(&out, reader.tag, &(struct frame){id, type, flags, (uint32_t)length, payload});
}

bool channel_pump(void) {
  for (int round = 0; round < ROUNDS; round++) {
    if (out.length == written) {
      out.length = written = 0;
      if (!reader.synced) return false;
      bytes_append(&out, control.data, control.length);
      control.length = 0;
      while (out.length < WRITE_BYTES - FRAME_MAX_OUT && session_fill()) {
      }
    }
    if (out.length == 0) return false;
    if (!flush()) return false;
  }
  return true;
}

static void opened(int fd) {
  frames_desync(&reader);
  reader.start = reader.end = 0;
  source = (struct source){.fd = fd, .ready = ready};
  if (!loop_watch(&source)) abort();
}

static void ready(struct source *unused, uint32_t events) {
  (void)unused;
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive();
}

static void receive(void) {
  for (;;) {
    size_t space;
    uint8_t *to = frames_space(&reader, &space);
    ssize_t got = read(source.fd, to, space);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return loop_timer_off(&doubt);
    if (got <= 0) return doubtful();
    frames_added(&reader, (size_t)got);
    struct frame frame;
    struct hello hello;
    enum parsed parsed;
    bool was_synced = reader.synced;
    while ((parsed = frames_next(&reader, &frame, &hello)) != PARSED_NOTHING) {
      if (parsed == PARSED_HELLO)
        begin(&hello);
      else
        session_frame(&frame);
      was_synced = true;
    }
    if (was_synced && !reader.synced) session_end();
  }
}

/* Bytes of an older session may lie in the kernel before this answer: the host skips them up to its token. */
static void begin(const struct hello *hello) {
  loop_timer_off(&doubt);
  session_end();
  control.length = out.length = written = 0;
  bytes_append(&out, HELLO_MAGIC, HELLO_MAGIC_LENGTH);
  bytes_append(&out, hello->token, TOKEN_LENGTH);
  session_begin(hello->log_offset);
}

/*
 * virtio_console learns in a work queue that a host came or went (handle_control_message), so the first bytes of a host
 * may be read before its coming is known, or before the going of the one before it: then the port says for a moment
 * that nobody is there. Only if it still says so a little later is it so.
 */
static void doubtful(void) {
  if (!reader.synced || platform_channel_dies()) return lost();
  loop_timer(&doubt, DOUBT_US);
}

static void doubt_over(void) {
  struct pollfd port = {.fd = source.fd};
  if (poll(&port, 1, 0) == 1 && port.revents & POLLHUP) lost();
}

static void lost(void) {
  bool had = reader.synced;
  frames_desync(&reader);
  control.length = out.length = written = 0;
  if (had) session_end();
  if (!platform_channel_dies()) return;
  loop_close(&source);
  platform_channel_closed();
}

static bool flush(void) {
  while (written < out.length) {
    ssize_t put = write(source.fd, out.data + written, out.length - written);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false; /* EAGAIN, or the host is gone: the reading side learns of both. */
    written += (size_t)put;
  }
  return true;
}
