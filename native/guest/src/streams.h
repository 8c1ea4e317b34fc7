/*
 * Processes whose standard streams go over the channel: exec'd programs, and our own file workers. Each direction of
 * each has credit in bytes, so that none can hold up logs, control or another.
 */
#pragma once
#include <sys/types.h>

#include "bytes.h"
#include "event-loop.h"
#include "wire.h"

enum { STREAMS_MAX = 128, CREDIT_TO_HOST = 256 << 10, CREDIT_FROM_HOST = 64 << 10 };
/* Granted on top when a stream is open: a host that does not know of it begins with CREDIT_FROM_HOST, as ever. */
enum { MORE_FROM_HOST = 192 << 10, WINDOW_FROM_HOST = CREDIT_FROM_HOST + MORE_FROM_HOST };

struct output_side {
  struct source source;
  bool readable;
  uint64_t credit;
  size_t got; /* since it was last empty */
};

struct stream {
  bool used;
  uint16_t id;
  pid_t pid; /* 0: reaped */
  int status;
  bool terminal;
  /* A file worker ends by itself when its input ends, and must, to tidy up: closing does not kill it. */
  bool tidy;
  /* The program's input, which is there with and without a host (id 0) until the program ends. */
  bool lasting;
  uint64_t key, accepted; /* of `lasting`: who feeds it, and how many bytes came of them */
  struct source input;
  bool input_writable, input_ended;
  struct bytes pending;
  size_t fed, owed; /* of `pending`: bytes passed on; bytes passed on since the last credit */
  struct output_side out, err;
};

void stream_message(uint16_t id, uint8_t type, uint8_t flags, const uint8_t *payload, size_t length);
bool streams_fill(void);
/* Passes on what came in this round: in large pieces, as each change between two processes is dear under emulation. */
void streams_feed(void);
void streams_close_all(void);
/*
 * The instance's program has begun with an input, which hosts open in turn by OPEN_INPUT. Takes `fd`, non-blocking: a pipe, or
 * the terminal's master. What was accepted is passed on whether or not a host is there.
 */
void streams_keep_input(pid_t pid, int fd, bool terminal);
/* The memory is to become another's: nobody has given anything yet. */
void streams_input_anew(void);
/* Takes note if `pid` belongs to a stream. */
void streams_ended(pid_t pid, int status);

/* For those who open streams: descriptors are non-blocking; `err` may be -1; with a terminal `in` and `out` are it. */
struct stream_ends {
  pid_t pid;
  int in, out, err;
  bool terminal, tidy;
};
bool stream_open_exec(const uint8_t *payload, size_t length, struct stream_ends *ends, int *code, char *reason,
                      size_t size);
bool stream_open_read(const uint8_t *payload, size_t length, struct stream_ends *ends, int *code, char *reason,
                      size_t size);
bool stream_open_write(const uint8_t *payload, size_t length, struct stream_ends *ends, int *code, char *reason,
                       size_t size);
