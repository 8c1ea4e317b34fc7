/* A process's environment: what the image and the user said, completed as Docker does. */
#pragma once
#include "config-message.h"

/* `over` wins over `under`; PATH, HOSTNAME, HOME and, with a terminal, TERM are set if neither has them. */
struct texts make_environment(const struct texts *under, const struct texts *over, const char *hostname,
                              const char *home, bool terminal);
/* The value of the last `NAME=value`, or NULL. */
const char *environment_get(const struct texts *env, const char *name);
