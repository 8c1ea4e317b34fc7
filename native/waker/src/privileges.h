#pragma once

/*
 * From here on: nobody, without capabilities, and with no system calls but those that move bytes between what is open.
 * Ends the process if that cannot be had.
 */
void privileges_drop(void);
