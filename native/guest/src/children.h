/* The directory vm: one below it for each child that this machine has forked, with what the host says of it. */
#pragma once
#include "pseudo-tree.h"
#include "wire.h"

/* The oldest that has stopped makes room, or the oldest. */
void children_add(const char *id, const char *snapshot, uint64_t created_s);
bool children_have_room(void);
/* One that is not known is passed over. */
void children_change(const char *id, enum child_status status, uint32_t exit_code);
/* This machine is another now: none of them is its own, and whoever waits for one learns ESTALE. */
void children_clear(void);

/* Nodes below `vm`, as pseudo-tree.h has them. */
bool child_node(uint64_t number, struct pseudo_node *node);
uint64_t child_lookup(uint64_t parent, const char *name);
uint64_t child_next(uint64_t parent, uint64_t after);
bool child_interrupt(uint64_t unique);
