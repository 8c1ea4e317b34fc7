#pragma once
#include "bytes.h"

/* Appends the fields of a STATS reply. */
void stats_put(struct bytes *fields);
