/* What a session with a host is made of: requests in; replies, events, logs and streams out. */
#pragma once
#include "frames.h"

void session_begin(uint64_t log_offset);
/* The host is gone or in step no more: its streams die, its acknowledgements are what it gave. */
void session_end(void);
void session_frame(const struct frame *frame);
/* Puts one frame by `channel_fill`; false if there is nothing to send. */
bool session_fill(void);
