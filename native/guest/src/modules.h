#pragma once

/* Loads the modules that /modules/order names, one a line, in that order. No such file: all drivers are built in. */
void modules_load(void);
