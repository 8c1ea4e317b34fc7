/* The one connection to the host: reads frames, and pulls frames to send from those who have some when there is room. */
#pragma once
#include "frames.h"

void channel_open(void);
/* A host is there and the session is in step. */
bool channel_synced(void);
/* Queues a control frame: it goes before logs and streams. Dropped without a session. */
void channel_send(uint16_t id, uint8_t type, uint8_t flags, const void *payload, size_t length);
/* Only for fillers called by the pump: a frame straight into the bytes about to be written. */
void channel_fill(uint16_t id, uint8_t type, uint8_t flags, const void *payload, size_t length);
/* Writes until nothing is left or the host is slow; true if it stopped only to let others run. */
bool channel_pump(void);
