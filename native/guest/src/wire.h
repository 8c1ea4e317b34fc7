/* Numbers of the guest protocol; docs/reference/guest-protocol.md explains them, packages/daemon/src/guest/wire.ts has them too. */
#pragma once

#define HELLO_MAGIC "uni-agent/1\n"

enum {
  HELLO_MAGIC_LENGTH = 12,
  TOKEN_LENGTH = 16,
  HELLO_LENGTH = HELLO_MAGIC_LENGTH + TOKEN_LENGTH + 8, /* magic, token, log offset u64 */
  TAG_LENGTH = 4,                                       /* the token's first bytes end every frame */
  FRAME_HEADER = 8,                                     /* id u16, type u8, flags u8, length u32 */
  FRAME_MAX_IN = 8192,                                  /* payload, host to agent */
  FRAME_MAX_OUT = 16384,                                /* payload, agent to host */
  MESSAGE_MAX = 4 << 20,                                /* a message joined from frames */
};

/* In the place of the offset in the answer to OPEN_INPUT: who asks has given nothing yet. */
#define INPUT_ANEW UINT64_MAX

/* In the place of a log offset in the hello: what was before is no concern of this host's. */
#define LOG_ANEW UINT64_MAX

/* Flags. On requests and replies: */
enum { FLAG_MORE = 1 };
/* On DATA, END and CREDIT of streams: */
enum { SIDE_OUT = 0, SIDE_ERR = 1 };

enum frame_type {
  /* host to agent; `id` names the request */
  TYPE_CONFIGURE = 1,
  TYPE_REFRESH = 2,
  TYPE_SIGNAL = 3,
  TYPE_STOP = 4,
  TYPE_POWER_OFF = 5,
  TYPE_STATS = 6,
  TYPE_NOTIFY = 7,
  /* host to agent, no reply */
  TYPE_LOG_ACK = 8,
  TYPE_EVENT_ACK = 9,
  TYPE_GOODBYE_ACK = 10,
  /* host to agent, more requests */
  TYPE_BECOME = 11,
  TYPE_ANSWER_TEMPLATE = 12,
  TYPE_ANSWER_FORK = 13,
  TYPE_CHILD_CHANGED = 14,
  /* streams; `id` names the stream, chosen by the host */
  TYPE_OPEN_INPUT = 15,
  TYPE_OPEN_EXEC = 16,
  TYPE_OPEN_READ = 17,
  TYPE_OPEN_WRITE = 18,
  TYPE_DATA = 19,
  TYPE_END = 20,
  TYPE_CREDIT = 21,
  TYPE_RESIZE = 22,
  TYPE_STREAM_SIGNAL = 23,
  TYPE_CLOSE = 24,
  /* agent to host */
  TYPE_STATE = 32,
  TYPE_REPLY = 33,
  TYPE_EVENT = 34,
  TYPE_LOG = 35,
  TYPE_LOG_LOST = 36,
  TYPE_GOODBYE = 37,
  TYPE_OPENED = 38,
  TYPE_STREAM_EXITED = 39,
  TYPE_STREAM_FAILED = 40,
};

enum agent_state { STATE_WAITING = 0, STATE_CONFIGURED = 1, STATE_POWERING_OFF = 2 };
enum event_kind {
  EVENT_STARTED = 1,
  EVENT_LISTENING = 2,
  EVENT_OOM = 3,
  EVENT_EXITED = 4,
  EVENT_START_FAILED = 5,
  EVENT_INHIBITED = 6,
  EVENT_TEMPLATE_REQUESTED = 7,
  EVENT_FORK_REQUESTED = 8,
};
enum becoming_kind { BECOME_TEMPLATE = 1, BECOME_FORK = 2, BECOME_BRANCH = 3, BECOME_CHECKPOINT = 4, BECOME_REWIND = 5 };
enum request_failure { FAILURE_REFUSED = 1, FAILURE_LIMIT = 2, FAILURE_NO_SPACE = 3, FAILURE_FAILED = 4 };
enum child_status {
  CHILD_STARTING = 1,
  CHILD_RUNNING = 2,
  CHILD_DRAINING = 3,
  CHILD_STOPPING = 4,
  CHILD_STOPPED = 5,
  CHILD_TEMPLATE = 6,
};
enum log_stream { LOG_STDOUT = 1, LOG_STDERR = 2, LOG_SYSTEM = 3 };

/* Keys of fields, one table for all messages. */
enum field_key {
  KEY_HOSTNAME = 1,
  KEY_ADDRESS = 2,
  KEY_GATEWAY = 3,
  KEY_NAMESERVER = 4,
  KEY_MACHINE_ID = 5,
  KEY_MODE = 6,
  KEY_ARGUMENT = 7,
  KEY_ENVIRONMENT = 8,
  KEY_USER = 9,
  KEY_WORKING_DIRECTORY = 10,
  KEY_STOP_SIGNAL = 11,
  KEY_TIME_US = 12,
  KEY_SEED = 13,
  KEY_SIGNAL = 14,
  KEY_GRACE_MS = 15,
  KEY_ROWS = 16,
  KEY_COLUMNS = 17,
  KEY_PATH = 18,
  KEY_CODE = 19,
  KEY_REASON = 20,
  KEY_US = 21,
  KEY_PORT = 22,
  KEY_PROCESS = 23,
  KEY_RSS_KB = 24,
  KEY_OOM_KILLED = 25,
  KEY_SEQUENCE = 26,
  KEY_STATE = 27,
  KEY_TEXT = 28,
  KEY_COUNT = 29,
  KEY_MEMORY_TOTAL_KB = 32,
  KEY_MEMORY_AVAILABLE_KB = 33,
  KEY_CPU_MS = 34,
  KEY_PROCESSES = 35,
  KEY_DISK_USED_KB = 36,
  KEY_DISK_TOTAL_KB = 37,
  KEY_CONNECTIONS = 38,
  KEY_INHIBITORS = 39,
  KEY_MAC = 40,
  KEY_KIND = 41,
  KEY_INSTANCE_ID = 42,
  KEY_INSTANCE_NAME = 43,
  KEY_ROM = 44,
  KEY_ROM_NAME = 45,
  KEY_ROM_AT = 46,
  KEY_ROM_SLOT = 47,
  KEY_REQUEST = 48,
  KEY_FAILURE = 49,
  KEY_CHILD = 50,
  KEY_SNAPSHOT = 51,
  KEY_CREATED_S = 52,
  KEY_STATUS = 53,
  KEY_STDIN = 54,
};
