/*
 * Virtio devices. Disks and NIC have no driver while the boot snapshot is taken: size, MAC and features are read when a
 * driver is bound, so a restored guest sees what its own QEMU was given. The SCSI controller has no disks by then: roms.h looks
 * for each when it is told of it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* From now on no virtio driver takes a device by itself. Does nothing while there is no virtio bus. */
void devices_hold(void);
/* Gives console, entropy and SCSI devices their drivers, takes disks and NICs from theirs. */
void devices_settle(void);
/* Gives disks and NICs their drivers. */
void devices_bind(void);
/* Names below /dev of the read-only and of the writable disk. */
bool devices_find_disks(char *root, char *writable, size_t size);
