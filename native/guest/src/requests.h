/* What programs ask of the host: to become a template, or to be copied. The host is told of one of a kind at a time. */
#pragma once
#include "bytes.h"
#include "wire.h"

/* From now on the host hears of requests. */
void requests_watch(void);
/* From any thread: there may be something to tell. */
void requests_changed(void);
/* Each session hears of what has no answer yet. */
void requests_repeat(void);
/* This memory is to become another machine's: nothing is asked for until then. */
void requests_hold(void);
/* It has become: each request returns as the kind has it. */
void requests_become(enum becoming_kind kind);
/* Puts the newest state of a request's kind in the place of earlier ones. */
void requests_tell(enum event_kind kind, uint64_t request, bool waiting);
int errno_of_failure(uint32_t failure);
