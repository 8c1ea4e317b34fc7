#include "streams.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "fields.h"
#include "terminal.h"

static struct stream streams[STREAMS_MAX];
static size_t turn;

static void open_stream(uint16_t id, uint8_t type, const uint8_t *payload, size_t length);
static void open_input(uint16_t id, const uint8_t *payload, size_t length);
static struct stream *unused(void);
static void fail(uint16_t id, int code, const char *reason);
static void take_input(struct stream *stream, const uint8_t *payload, size_t length);
static void feed(struct stream *stream);
static void end_input(struct stream *stream);
static void passed_on(struct stream *stream, size_t length);
static void grant(struct stream *stream, size_t length);
static void resize(struct stream *stream, const uint8_t *payload, size_t length);
static bool fill(struct stream *stream);
static bool fill_side(struct stream *stream, struct output_side *side, uint8_t flag);
static bool fill_end(struct stream *stream);
static bool drained(const struct output_side *side);
static void close_stream(struct stream *stream);
static void watch_input(struct stream *stream, int fd);
static void watch_output(struct stream *stream, struct output_side *side, int fd);
static void input_ready(struct source *source, uint32_t events);
static void output_ready(struct source *source, uint32_t events);

static struct stream *find(uint16_t id) {
  for (size_t i = 0; i < STREAMS_MAX; i++)
    if (streams[i].used && streams[i].id == id && id != 0) return &streams[i];
  return NULL;
}

static struct stream *lasting(void) {
  for (size_t i = 0; i < STREAMS_MAX; i++)
    if (streams[i].used && streams[i].lasting) return &streams[i];
  return NULL;
}

void stream_message(uint16_t id, uint8_t type, uint8_t flags, const uint8_t *payload, size_t length) {
  if (type == TYPE_OPEN_INPUT) return open_input(id, payload, length);
  if (type <= TYPE_OPEN_WRITE) return open_stream(id, type, payload, length);
  struct stream *stream = find(id);
  if (!stream) return; /* It has just ended: its EXITED is under way. */
  switch (type) {
    case TYPE_DATA: return take_input(stream, payload, length);
    case TYPE_END:
      /* The program's terminal stays: others may come to it. */
      stream->input_ended = !(stream->lasting && stream->terminal);
      return;
    case TYPE_CREDIT:
      if (length == 4) (flags == SIDE_ERR ? &stream->err : &stream->out)->credit += get32(payload);
      return;
    case TYPE_RESIZE: return resize(stream, payload, length);
    case TYPE_STREAM_SIGNAL:
      if (length == 4 && stream->pid) kill(-stream->pid, (int)get32(payload));
      return;
    case TYPE_CLOSE: return close_stream(stream);
    default: return;
  }
}

bool streams_fill(void) {
  for (size_t i = 0; i < STREAMS_MAX; i++) {
    struct stream *stream = &streams[turn = (turn + 1) % STREAMS_MAX];
    if (stream->used && fill(stream)) return true;
  }
  return false;
}

void streams_feed(void) {
  for (size_t i = 0; i < STREAMS_MAX; i++)
    if (streams[i].used && streams[i].input_writable) feed(&streams[i]);
}

void streams_close_all(void) {
  for (size_t i = 0; i < STREAMS_MAX; i++)
    if (streams[i].used) close_stream(&streams[i]);
}

void streams_ended(pid_t pid, int status) {
  for (size_t i = 0; i < STREAMS_MAX; i++) {
    struct stream *stream = &streams[i];
    if (!stream->used || stream->pid != pid) continue;
    stream->pid = 0;
    stream->status = status;
    stream->out.readable = stream->err.readable = true;
  }
}

static void open_stream(uint16_t id, uint8_t type, const uint8_t *payload, size_t length) {
  if (find(id)) return fail(id, 126, "stream id is in use");
  struct stream *stream = unused();
  if (!stream) return fail(id, 126, "too many processes run by request at once");
  struct stream_ends ends = {.in = -1, .out = -1, .err = -1};
  char reason[512] = "";
  int code = 126;
  bool ok = type == TYPE_OPEN_EXEC   ? stream_open_exec(payload, length, &ends, &code, reason, sizeof reason)
            : type == TYPE_OPEN_READ ? stream_open_read(payload, length, &ends, &code, reason, sizeof reason)
                                     : stream_open_write(payload, length, &ends, &code, reason, sizeof reason);
  if (!ok) return fail(id, code, reason);
  *stream = (struct stream){.used = true, .id = id, .pid = ends.pid, .terminal = ends.terminal, .tidy = ends.tidy};
  stream->out.credit = stream->err.credit = CREDIT_TO_HOST;
  watch_input(stream, ends.in);
  watch_output(stream, &stream->out, ends.out);
  watch_output(stream, &stream->err, ends.err);
  channel_send(id, TYPE_OPENED, 0, NULL, 0);
  grant(stream, MORE_FROM_HOST);
}

static struct stream *unused(void) {
  for (size_t i = 0; i < STREAMS_MAX; i++)
    if (!streams[i].used) return &streams[i];
  return NULL;
}

void streams_keep_input(pid_t pid, int fd, bool terminal) {
  struct stream *stream = unused();
  if (!stream) return (void)close(fd);
  *stream = (struct stream){.used = true, .pid = pid, .terminal = terminal, .tidy = true, .lasting = true};
  watch_input(stream, fd);
  watch_output(stream, &stream->out, -1);
  watch_output(stream, &stream->err, -1);
}

void streams_input_anew(void) {
  struct stream *stream = lasting();
  if (stream) stream->key = 0;
}

/* A host that was here before goes on where it was: it hears how much of what it sent has come. */
static void open_input(uint16_t id, const uint8_t *payload, size_t length) {
  struct stream *stream = lasting();
  if (length != 8 || !get64(payload) || find(id)) return fail(id, 126, "malformed request for the program's input");
  if (!stream || !stream->pid) return fail(id, 126, "the program has no input, or has ended");
  if (stream->id) return fail(id, 126, "the program's input is in use");
  bool known = stream->key == get64(payload);
  if (!known) stream->key = get64(payload), stream->accepted = 0;
  stream->id = id;
  stream->owed = 0;
  uint8_t number[8];
  put64(number, known ? stream->accepted : INPUT_ANEW);
  channel_send(id, TYPE_OPENED, 0, number, sizeof number);
  grant(stream, WINDOW_FROM_HOST - (stream->pending.length - stream->fed));
}

static void fail(uint16_t id, int code, const char *reason) {
  struct bytes fields = {0};
  field_put_u32(&fields, KEY_CODE, (uint32_t)code);
  field_put_text(&fields, KEY_REASON, reason);
  channel_send(id, TYPE_STREAM_FAILED, 0, fields.data, fields.length);
  bytes_free(&fields);
}

static void take_input(struct stream *stream, const uint8_t *payload, size_t length) {
  stream->accepted += length;
  if (stream->input.fd < 0) return passed_on(stream, length); /* Nobody reads it any more. */
  if (stream->pending.length - stream->fed + length > WINDOW_FROM_HOST) return close_stream(stream);
  if (stream->fed > stream->pending.length / 2) {
    bytes_drop_front(&stream->pending, stream->fed);
    stream->fed = 0;
  }
  bytes_append(&stream->pending, payload, length);
}

static void feed(struct stream *stream) {
  size_t before = stream->fed;
  while (stream->input.fd >= 0 && stream->input_writable && stream->fed < stream->pending.length) {
    ssize_t put = write(stream->input.fd, stream->pending.data + stream->fed, stream->pending.length - stream->fed);
    if (put > 0) {
      stream->fed += (size_t)put;
    } else if (errno == EAGAIN) {
      stream->input_writable = false;
    } else if (errno != EINTR) {
      loop_close(&stream->input);
      stream->fed = stream->pending.length;
    }
  }
  passed_on(stream, stream->fed - before);
  if (stream->fed < stream->pending.length) return;
  stream->fed = stream->pending.length = 0;
  if (stream->input_ended) end_input(stream);
}

/* A terminal has no end of input but the one that its user types. */
static void end_input(struct stream *stream) {
  static const char end_of_transmission = 4;
  if (stream->input.fd < 0) return;
  if (stream->terminal && write(stream->input.fd, &end_of_transmission, 1) < 0 && errno == EAGAIN) return;
  loop_close(&stream->input);
}

static void passed_on(struct stream *stream, size_t length) {
  if (!stream->id) return; /* The next host hears of all room at once. */
  stream->owed += length;
  if (stream->owed < WINDOW_FROM_HOST / 4) return;
  grant(stream, stream->owed);
  stream->owed = 0;
}

static void grant(struct stream *stream, size_t length) {
  uint8_t number[4];
  put32(number, (uint32_t)length);
  channel_send(stream->id, TYPE_CREDIT, 0, number, sizeof number);
}

static void resize(struct stream *stream, const uint8_t *payload, size_t length) {
  int fd = stream->lasting ? stream->input.fd : stream->out.source.fd;
  if (length != 4 || !stream->terminal || fd < 0) return;
  struct winsize size = {.ws_row = get16(payload), .ws_col = get16(payload + 2)};
  ioctl(fd, TIOCSWINSZ, &size);
}

static bool fill(struct stream *stream) {
  return fill_side(stream, &stream->err, SIDE_ERR) || fill_side(stream, &stream->out, SIDE_OUT) || fill_end(stream);
}

static bool fill_side(struct stream *stream, struct output_side *side, uint8_t flag) {
  static uint8_t buffer[FRAME_MAX_OUT];
  while (side->source.fd >= 0 && side->readable && side->credit > 0) {
    ssize_t got = read(side->source.fd, buffer, side->credit < sizeof buffer ? side->credit : sizeof buffer);
    if (got > 0) {
      side->credit -= (uint64_t)got;
      side->got += (size_t)got;
      channel_fill(stream->id, TYPE_DATA, flag, buffer, (size_t)got);
      return true;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      side->readable = false;
      if (stream->terminal) terminal_emptied(&side->source, &side->got);
    } else {
      loop_close(&side->source); /* The end; a terminal says EIO when its last user is gone. */
    }
  }
  return false;
}

/* Processes that it left behind may hold the pipes open: what counts is that the pipes are empty now. */
static bool fill_end(struct stream *stream) {
  if (stream->pid || !stream->id || !drained(&stream->out) || !drained(&stream->err)) return false;
  uint32_t killer = WIFSIGNALED(stream->status) ? (uint32_t)WTERMSIG(stream->status) : 0;
  struct bytes fields = {0};
  field_put_u32(&fields, KEY_CODE, killer ? 128 + killer : (uint32_t)WEXITSTATUS(stream->status));
  field_put_u32(&fields, KEY_SIGNAL, killer);
  channel_fill(stream->id, TYPE_STREAM_EXITED, 0, fields.data, fields.length);
  bytes_free(&fields);
  close_stream(stream);
  return true;
}

static bool drained(const struct output_side *side) { return side->source.fd < 0 || !side->readable; }

static void close_stream(struct stream *stream) {
  stream->id = 0;
  if (stream->lasting && stream->pid) return;
  if (stream->pid && !stream->tidy) kill(-stream->pid, SIGKILL);
  loop_close(&stream->input);
  loop_close(&stream->out.source);
  loop_close(&stream->err.source);
  bytes_free(&stream->pending);
  stream->used = false;
}

static void watch_input(struct stream *stream, int fd) {
  stream->input = (struct source){.fd = fd, .ready = input_ready, .owner = stream};
  if (fd >= 0) loop_watch_writable(&stream->input);
}

static void watch_output(struct stream *stream, struct output_side *side, int fd) {
  side->source = (struct source){.fd = fd, .ready = output_ready, .owner = stream};
  if (fd >= 0) loop_watch(&side->source);
}

static void input_ready(struct source *source, uint32_t events) {
  struct stream *stream = source->owner;
  if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
  stream->input_writable = true;
  feed(stream);
}

static void output_ready(struct source *source, uint32_t events) {
  struct stream *stream = source->owner;
  if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP))) return;
  if (source == &stream->out.source)
    stream->out.readable = true;
  else
    stream->err.readable = true;
}
