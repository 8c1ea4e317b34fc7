#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "event-loop.h"
#include "events.h"
#include "fields.h"
#include "launch.h"
#include "listening.h"
#include "oom.h"
#include "platform.h"
#include "streams.h"
#include "terminal.h"

enum { DRAIN_ROUNDS = 8 };

struct output {
  struct source source;
  enum log_stream stream;
  bool readable, terminal;
  size_t got; /* since it was last empty */
};

static pid_t pid;
static bool ended, reported;
static int end_status;
static bool end_oom;
static int stop_signal = SIGTERM;
static void (*when_gone)(void);
static struct output outputs[2] = {{.source.fd = -1, .stream = LOG_STDOUT}, {.source.fd = -1, .stream = LOG_STDERR}};

static void output_ready(struct source *source, uint32_t events);
static int open_standard_streams(struct launch *request);
static int open_output(struct output *output);
static void watch_output(struct output *output, int fd);
static bool drain(struct output *output, bool *more);
static void report_end(void);
static void report_start_failure(const struct launched *result);
static void grace_over(void);
static struct timer grace = {.fire = grace_over};

void program_start(const struct configuration *config, int64_t configured_at_us) {
  if (config->stop_signal > 0) stop_signal = config->stop_signal;
  struct launch request = {.spec = &config->program, .defaults = &config->program, .hostname = config->self.hostname};
  int input = open_standard_streams(&request);
  struct launched result;
  launch(&request, &result);
  int64_t us = monotonic_us() - configured_at_us;
  close(request.in);
  if (request.out != request.in) close(request.out), close(request.err);
  if (!result.pid) {
    if (input >= 0) close(input);
    return report_start_failure(&result);
  }
  pid = result.pid;
  if (input >= 0) streams_keep_input(pid, input, config->program.terminal);
  struct bytes fields = {0};
  field_put_u64(&fields, KEY_US, (uint64_t)us);
  events_add(EVENT_STARTED, &fields);
  bytes_free(&fields);
  listening_watch(configured_at_us);
}

bool program_running(void) { return pid != 0; }

bool program_signal(int signal) { return pid != 0 && kill(pid, signal) == 0; }

bool program_signal_group(int signal) { return pid != 0 && kill(-pid, signal) == 0; }

void program_stop(uint32_t grace_ms, void (*gone)(void)) {
  if (!pid) return gone();
  when_gone = gone;
  kill(pid, stop_signal);
  loop_timer(&grace, (int64_t)grace_ms * 1000);
}

static void grace_over(void) { program_kill_all(); }

void program_kill_all(void) {
  if (platform_owns_all_processes())
    kill(-1, SIGKILL);
  else if (pid)
    kill(-pid, SIGKILL);
}

void program_ended(int candidate, int status) {
  if (!pid || candidate != pid) return;
  end_oom = oom_killed(pid);
  pid = 0;
  ended = true;
  end_status = status;
  loop_timer_off(&grace);
  listening_off();
  /* Its last output is in the pipes; nobody else tells us that it is. */
  outputs[0].readable = outputs[1].readable = true;
}

bool program_drain(void) {
  bool more = false;
  bool empty = drain(&outputs[0], &more);
  empty = drain(&outputs[1], &more) && empty;
  if (ended && !reported && empty) report_end();
  return more;
}

bool program_settled(void) { return !pid && (!ended || reported); }

/* True if the pipe is empty for now or closed. A program that never stops writing must not keep the loop here. */
static bool drain(struct output *output, bool *more) {
  static uint8_t buffer[16 << 10];
  for (int rounds = 0; output->source.fd >= 0 && output->readable; rounds++) {
    size_t room = log_room();
    if (room == 0) return false;
    if (rounds == DRAIN_ROUNDS) return *more = true, false;
    ssize_t got = read(output->source.fd, buffer, room < sizeof buffer ? room : sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      output->readable = false;
      if (output->terminal) terminal_emptied(&output->source, &output->got);
    } else if (got <= 0) {
      loop_close(&output->source);
    } else {
      log_add(output->stream, buffer, (size_t)got);
      output->got += (size_t)got;
    }
  }
  return true;
}

static void report_end(void) {
  reported = true;
  uint32_t killer = WIFSIGNALED(end_status) ? (uint32_t)WTERMSIG(end_status) : 0;
  struct bytes fields = {0};
  field_put_u32(&fields, KEY_CODE, killer ? 128 + killer : (uint32_t)WEXITSTATUS(end_status));
  field_put_u32(&fields, KEY_SIGNAL, killer);
  field_put_u32(&fields, KEY_OOM_KILLED, end_oom);
  events_add(EVENT_EXITED, &fields);
  bytes_free(&fields);
  if (when_gone) when_gone();
  when_gone = NULL;
}

static void report_start_failure(const struct launched *result) {
  struct bytes fields = {0};
  field_put_u32(&fields, KEY_CODE, (uint32_t)result->code);
  field_put_text(&fields, KEY_REASON, result->reason);
  events_add(EVENT_START_FAILED, &fields);
  bytes_free(&fields);
}

/* Returns where its input goes, or -1. What cannot be opened is not there for it, either. */
static int open_standard_streams(struct launch *request) {
  int ends[2] = {-1, -1};
  if (request->spec->terminal) {
    terminal_open(request->spec, &ends[0], &request->in);
    request->out = request->err = request->in;
    watch_output(&outputs[0], ends[0]);
    outputs[0].terminal = true;
    return fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
  }
  request->out = open_output(&outputs[0]);
  request->err = open_output(&outputs[1]);
  if (request->spec->stdin_open && pipe2(ends, O_CLOEXEC) == 0) {
    request->in = ends[0];
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
  } else {
    request->in = openat(platform_dev(), "null", O_RDONLY | O_CLOEXEC);
  }
  return ends[1];
}

static int open_output(struct output *output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  watch_output(output, ends[0]);
  return ends[1];
}

static void watch_output(struct output *output, int fd) {
  output->source = (struct source){.fd = fd, .ready = output_ready, .owner = output};
  if (fd >= 0) loop_watch(&output->source);
}

static void output_ready(struct source *source, uint32_t events) {
  (void)events;
  ((struct output *)source->owner)->readable = true;
}
