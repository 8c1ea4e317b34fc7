/*
 * Requests about the whole machine. The agent waits, is configured once, and ends by powering off:
 *
 *   waiting --CONFIGURE--> configured --POWER_OFF--> powering off --goodbye heard, or patience over--> reset
 *      `------------------------POWER_OFF-----------------^
 *
 * A configured machine may be told, any number of times, that it goes on as another (BECOME).
 */
#pragma once
#include "bytes.h"
#include "config-message.h"
#include "wire.h"

enum agent_state control_state(void);
/* What was configured; empty before. */
const struct configuration *control_configuration(void);
void control_request(uint16_t id, uint8_t type, const uint8_t *payload, size_t length);
/* Requests that have no reply yet will get none: their host is gone. */
void control_forget_requests(void);
void control_goodbye_heard(void);
/* Goes on with what waits for others: called after each round of the loop. */
void control_advance(void);
