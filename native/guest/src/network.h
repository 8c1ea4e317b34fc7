#pragma once
#include <stdbool.h>

/* 127.0.0.1 and ::1. */
void network_loopback_up(void);
/* eth0 gets the address alone (/32 or /128) and sends everything to the gateway, which need not be in any subnet. */
bool network_configure(const char *address, const char *gateway, const char **reason);
