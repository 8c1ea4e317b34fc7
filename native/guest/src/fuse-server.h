/*
 * Serves the files of pseudo-tree.h over /dev/fuse, by a thread of its own: while the agent waits for a program's first
 * instruction (CLONE_VFORK) or for a disk, a program that it waits for may itself wait for one of these files.
 * The thread must not allocate: a process made meanwhile would inherit the allocator's lock, held by nobody.
 */
#pragma once
#include "fuse-request.h"

/* Serves `device`, which is mounted already, from now on. */
bool fuse_serve(int device);
/* Handles one request that was read from the device. */
void fuse_handle(const uint8_t *bytes, size_t length);
/* Where answers go; `fuse_serve` sets it. */
void fuse_set_device(int device);
/* The answer to a request that was put off. `error` is 0 or an errno. Any thread may call these. */
void fuse_answer(uint64_t unique, int error, const void *data, size_t length);
/* Bytes, or an errno negated. */
void fuse_answer_write(uint64_t unique, ssize_t result);
void fuse_wake_poll(uint64_t poll_handle);
