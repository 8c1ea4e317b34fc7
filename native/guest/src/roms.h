/*
 * Read-only EROFS disks beside the root, on a SCSI controller that is there before the boot snapshot; the disks come and go with
 * each start of the machine, and only those that the host names are looked for. A slot is the disk's LUN.
 */
#pragma once
#include "config-message.h"

/*
 * Gives each its node, /dev/ukp_rom_<name>, and its mount; what is not listed any more loses both, and who has files of it open
 * keeps them. One that is listed as before is left alone. False with a reason; if one cannot be read, nothing has changed.
 */
bool roms_mount(const struct roms *wanted, const char **reason);
