/* The agent: boots the guest, waits for its configuration, runs the program, serves the host until the end. */
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "control.h"
#include "event-loop.h"
#include "inhibitors.h"
#include "platform.h"
#include "program.h"
#include "requests.h"
#include "streams.h"

static void watch_signals(void);
static void take_signals(struct source *source, uint32_t events);
static bool after_round(void);

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  platform_boot(argc, argv);
  loop_open();
  watch_signals();
  inhibitors_watch();
  requests_watch();
  channel_open();
  loop_run(after_round);
}

/* What a process of the guest may send to process 1, as it would to a container's, is meant for the program. */
static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
static struct source signals;

static void watch_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++) sigaddset(&set, forwarded[i]);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signals = (struct source){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = take_signals};
  if (signals.fd < 0 || !loop_watch(&signals)) abort();
}

/* Signals of one kind merge: the children are asked, not counted. Orphans of the guest come here too. */
static void take_signals(struct source *source, uint32_t events) {
  (void)events;
  struct signalfd_siginfo info;
  while (read(source->fd, &info, sizeof info) > 0)
    if (info.ssi_signo != SIGCHLD) program_signal((int)info.ssi_signo);
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    program_ended(pid, status), streams_ended(pid, status);
}

static bool after_round(void) {
  streams_feed();
  bool more = program_drain();
  more = channel_pump() || more;
  /* Sending made room for what waited, or was the last thing that the end waited for. */
  more = program_drain() || more;
  control_advance();
  return channel_pump() || more;
}
