/* What differs between a VM (platform-vm.c) and a test on the host (platform-socket.c). */
#pragma once
#include <stdbool.h>

#include "config-message.h"

/* Does what can be done before the configuration is known; ends the process if the agent cannot live. */
void platform_boot(int argc, char **argv);
/* Hands out the host's channel, non-blocking: at once in a VM, where it outlives its hosts, or at each connection. */
void platform_watch_channel(void (*opened)(int fd));
/* The host went away: true if its channel is of no use to the next one and is to be closed. */
bool platform_channel_dies(void);
/* After the closing. */
void platform_channel_closed(void);
/* Disks, root, kernel file systems, network. False with a reason (a static or leaked string). */
bool platform_configure(const struct configuration *config, const char **reason);
/* The machine that was `old` is what the message says, as far as the system goes. False with a reason; then all may be tried again. */
bool platform_become(const struct self *old, const struct becoming *wanted, const char **reason);
/* Mounts what is new or changed, unmounts what is not listed. False with a reason. */
bool platform_set_roms(const struct roms *roms, const char **reason);
void platform_set_moment(const struct host_moment *moment);
/* A directory descriptor of procfs and of the device file system that no process of the guest can replace. */
int platform_proc(void);
int platform_dev(void);
/* New instances are opened from here: the directory of devpts as the program sees it. */
int platform_pts(void);
/* A directory of the disk whose use is reported, or -1. */
int platform_disk(void);
/* Kernel messages, positioned at the end, non-blocking; or -1. */
int platform_kernel_log(void);
/* True if this process may signal "all others". */
bool platform_owns_all_processes(void);
/* Everything is written back when it returns. */
void platform_sync(void);
void platform_reset(void) __attribute__((noreturn));
