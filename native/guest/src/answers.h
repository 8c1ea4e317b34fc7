/* What the host says to the requests of programs, and of the children that came of them. */
#pragma once
#include "bytes.h"

/* ANSWER_TEMPLATE, ANSWER_FORK or CHILD_CHANGED: NULL, or why it is no such message. */
const char *answer_message(uint8_t type, const uint8_t *payload, size_t length);
