/* The files that Docker generates in /etc, and the machine's identity. The root is already ours. */
#pragma once
#include "config-message.h"

void write_etc_files(const struct self *self);
/* Changes what was written for `old`, and nothing else: what the program wrote beside it, or in its place, stays. */
void change_etc_files(const struct self *old, const struct self *self);
