/* The files that Docker generates in /etc, and the machine's identity. The root is already ours. */
#pragma once
#include "config-message.h"

void write_etc_files(const struct configuration *config);
