/* The file instance: which instance this machine is now, for programs to read. */
#pragma once
#include "config-message.h"
#include "pseudo-tree.h"

extern const struct pseudo_file instance_file;

void instance_file_set(const struct self *self);
