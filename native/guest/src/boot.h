/* What is done once, before the boot snapshot: nothing here may depend on the instance. */
#pragma once

/* Kernel file systems for the agent, modules, devices unbound, loopback up. */
void boot_machine(void);
/* The device of the port named uni.agent; waits until the kernel has made it. */
int boot_find_port(void);
int boot_proc(void);
int boot_dev(void);
int boot_sys(void);
