#include "check.h"
#include "ports.h"

static const char head[] = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";

static int port_of(const char *line) {
  char table[1024];
  snprintf(table, sizeof table, "%s%s\n", head, line);
  return first_listening_port(table);
}

/* The kernel's words have the byte order of the machine: the addresses here are those of a little-endian one. */
int main(void) {
  CHECK(port_of("   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000") == 8080);
  CHECK(port_of("   0: 0100007F:1F90 00000000:0000 0A 0") == 0);
  CHECK(port_of("   0: 0200620A:0016 00000000:0000 0A 0") == 22);
  CHECK(port_of("   0: 00000000:1F90 0100007F:A0B0 01 0") == 0);
  CHECK(port_of("   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0") == 80);
  CHECK(port_of("   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0") == 0);
  CHECK(port_of("   0: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 0") == 0);
  CHECK(port_of("   0: 0100007F:1F90 00000000:0000 0A 0\n   1: 00000000:0051 00000000:0000 0A 0") == 81);
  CHECK(established_connections("   0: 0200620A:1F90 010062CB:A0B0 01 0\n   1: 0200620A:1F90 010062CB:A0B1 01 0\n") == 2);
  CHECK(established_connections("   0: 0200620A:1F90 010062CB:A0B0 06 0\n   1: 00000000:1F90 00000000:0000 0A 0") == 0);
  CHECK(established_connections("   0: 0100007F:1F90 0100007F:A0B0 01 0\n   1: 0200620A:1F90 0200620A:A0B0 01 0") == 0);
  CHECK(established_connections("   0: 0200620A:1F90 010062CB:A0B0 0") == 0);
  CHECK(established_connections("   0: 0200620A:1F90 010062") == 0 && established_connections(head) == 0);
  CHECK(port_of("   0: 00000000:1F9") == 0 && port_of("") == 0 && first_listening_port("") == 0);
}
