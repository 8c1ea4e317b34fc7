#pragma once
#include <stdbool.h>
#include <stdint.h>

/* 127.0.0.1 and ::1. */
void network_loopback_up(void);
/* eth0 gets the address alone (/32 or /128) and sends everything to the gateway, which need not be in any subnet. */
bool network_configure(const char *address, const char *gateway, const char **reason);
/*
 * eth0, configured before, gets another MAC address (which empties the kernel's table of neighbours), and the address in place of
 * `old`. Connections from `old` end here without a packet: their other ends still talk to the machine that has it.
 */
bool network_become(const uint8_t mac[6], const char *old, const char *address, const char *gateway, const char **reason);
