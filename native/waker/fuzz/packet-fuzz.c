/* Any bytes from the network: what is taken for a packet lies within them. */
#include <stdlib.h>

#include "packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct packet packet;
  if (!packet_read(data, size, &packet)) return 0;
  if (size < VNET_HEADER + 20 || data[VNET_HEADER] >> 4 != 4) abort();
  if (packet.meek && packet.origin != ORIGIN_ICMP) abort();
  if (origin_name(packet.origin) == NULL) abort();
  return 0;
}
