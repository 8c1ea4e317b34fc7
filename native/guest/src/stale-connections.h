/* Sockets of an address that this machine no longer has. */
#pragma once

/*
 * Ends those of TCP and UDP but not what listens: who waits for one learns ECONNABORTED. Needs the kernel's tcp_diag and udp_diag;
 * without them each ends by its own timeout.
 */
void end_connections_from(const char *address);
