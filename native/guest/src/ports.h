/* The kernel's table of TCP sockets (/proc/net/tcp, tcp6) as text. */
#pragma once

/* The first listening port whose address is not loopback; 0 if there is none. */
int first_listening_port(const char *table);
