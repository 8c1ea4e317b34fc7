#include "session.h"

#include "channel.h"
#include "control.h"
#include "events.h"
#include "fields.h"
#include "requests.h"
#include "streams.h"

/* A message that does not fit one frame; its parts come one after the other. */
static struct bytes message;
static bool joining;

static void dispatch(const struct frame *frame, const uint8_t *payload, size_t length);

void session_begin(uint64_t log_offset) {
  joining = false;
  message.length = 0;
  events_rewind(log_offset);
  if (log_offset == LOG_ANEW) requests_hold(), streams_input_anew();
  requests_repeat();
  struct bytes fields = {0};
  field_put_u32(&fields, KEY_STATE, control_state());
  channel_send(0, TYPE_STATE, 0, fields.data, fields.length);
  bytes_free(&fields);
}

void session_end(void) {
  joining = false;
  message.length = 0;
  streams_close_all();
  control_forget_requests();
}

void session_frame(const struct frame *frame) {
  /* On the others the flag is a stream's side. */
  bool may_join = frame->type < TYPE_LOG_ACK || (frame->type >= TYPE_BECOME && frame->type <= TYPE_OPEN_WRITE);
  if (!may_join || (!joining && !(frame->flags & FLAG_MORE))) return dispatch(frame, frame->payload, frame->length);
  if (message.length + frame->length <= MESSAGE_MAX) bytes_append(&message, frame->payload, frame->length);
  joining = frame->flags & FLAG_MORE;
  if (joining) return;
  dispatch(frame, message.data, message.length);
  bytes_free(&message);
}

bool session_fill(void) { return events_fill() || streams_fill(); }

static void dispatch(const struct frame *frame, const uint8_t *payload, size_t length) {
  switch (frame->type) {
    case TYPE_LOG_ACK:
      if (length == 8) log_ack(get64(payload));
      return;
    case TYPE_EVENT_ACK:
      if (length == 8) events_ack(get64(payload));
      return;
    case TYPE_GOODBYE_ACK: return control_goodbye_heard();
    case TYPE_OPEN_INPUT:
    case TYPE_OPEN_EXEC:
    case TYPE_OPEN_READ:
    case TYPE_OPEN_WRITE:
    case TYPE_DATA:
    case TYPE_END:
    case TYPE_CREDIT:
    case TYPE_RESIZE:
    case TYPE_STREAM_SIGNAL:
    case TYPE_CLOSE: return stream_message(frame->id, frame->type, frame->flags, payload, length);
    default: return control_request(frame->id, frame->type, payload, length);
  }
}
