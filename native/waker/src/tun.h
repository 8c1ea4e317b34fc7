/* The device that the pool is routed to. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ends the process with a word on stderr if it cannot be had: also when another waker has it. */
int tun_open(const char *name);
/* Bytes of the next packet with its header, 0 if none waits, -1 if the device is gone. */
int tun_read(int tun, uint8_t *frame, size_t size);
/* False if it was lost, as when the device is down. */
bool tun_write(int tun, const uint8_t *frame, size_t length);
