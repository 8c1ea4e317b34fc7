/* What the tables /proc/net/tcp and tcp6 say. */
#pragma once
#include <stddef.h>

/* The first port that is listened on at an address other than loopback, or 0. */
int first_listening_port(const char *table);
/* Established connections that leave the machine or come from outside it: not by loopback, nor to one's own address. */
size_t established_connections(const char *table);
