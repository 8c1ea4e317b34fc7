#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "launch.h"
#include "streams.h"
#include "terminal.h"

static bool open_pipes(struct stream_ends *ends, struct launch *request);
static bool open_terminal(struct stream_ends *ends, struct launch *request);

bool stream_open_exec(const uint8_t *payload, size_t length, struct stream_ends *ends, int *code, char *reason,
                      size_t size) {
  struct process_spec spec = {0};
  struct launched result = {.code = 126};
  const char *why;
  const struct configuration *config = control_configuration();
  struct launch request = {.spec = &spec, .defaults = &config->program, .in = -1, .out = -1, .err = -1};
  request.hostname = config->self.hostname;
  if (control_state() != STATE_CONFIGURED) {
    snprintf(result.reason, sizeof result.reason, "the machine is not set up yet, or about to end");
  } else if (!parse_process(payload, length, &spec, &why)) {
    snprintf(result.reason, sizeof result.reason, "%s", why);
  } else if (!(spec.terminal ? open_terminal(ends, &request) : open_pipes(ends, &request))) {
    snprintf(result.reason, sizeof result.reason, "open its %s: %s", spec.terminal ? "terminal" : "pipes",
             strerror(errno));
  } else {
    launch(&request, &result);
  }
  close(request.in);
  if (!spec.terminal) close(request.out), close(request.err);
  process_spec_free(&spec);
  ends->pid = result.pid;
  if (result.pid) return true;
  *code = result.code;
  snprintf(reason, size, "%s", result.reason);
  close(ends->in), close(ends->out), close(ends->err);
  return false;
}

static bool open_pipes(struct stream_ends *ends, struct launch *request) {
  int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
  bool ok = pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0;
  request->in = in[0], request->out = out[1], request->err = err[1];
  ends->in = in[1], ends->out = out[0], ends->err = err[0];
  if (!ok) return false;
  fcntl(ends->in, F_SETFL, O_NONBLOCK);
  fcntl(ends->out, F_SETFL, O_NONBLOCK);
  fcntl(ends->err, F_SETFL, O_NONBLOCK);
  return true;
}

static bool open_terminal(struct stream_ends *ends, struct launch *request) {
  bool ok = terminal_open(request->spec, &ends->out, &request->in);
  request->out = request->err = request->in;
  if (!ok) return false;
  ends->terminal = true;
  return (ends->in = fcntl(ends->out, F_DUPFD_CLOEXEC, 0)) >= 0;
}
