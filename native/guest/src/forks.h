/*
 * The file fork: a program asks for a copy of its machine. One request is open at a time, the others queue. The thread that wrote
 * reads the child's id from the same file; in the child it reads an id of zeros.
 */
#pragma once
#include "pseudo-tree.h"
#include "wire.h"

extern const struct pseudo_file forks_file;

void forks_tell(void);
void forks_forget_told(void);
/* If it is still this request: it fails with `error`, or its thread has the child's id. */
void forks_answer(uint64_t request, int error, const char *child);
void forks_become(enum becoming_kind kind);
