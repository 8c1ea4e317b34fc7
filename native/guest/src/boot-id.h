/*
 * The kernel draws its boot id once, before a machine is copied. Programs see ours in its place: a file over
 * /proc/sys/kernel/random/boot_id of the root.
 */
#pragma once

/* Makes the file, attached to nothing yet. */
void boot_id_prepare(void);
/* Over the kernel's, in the root that the caller is in. */
void boot_id_attach(void);
/* Another one from now on. The random generator must have been fed before. */
void boot_id_renew(void);
