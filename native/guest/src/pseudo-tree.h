/*
 * The directories and files of /uk/libukp. A further one is a line of the table and a `struct pseudo_file`; only the directory
 * `vm` has others, which come and go (children.h).
 */
#pragma once
#include <sys/types.h>

#include "fuse-request.h"

/* From `read` and `write`: the answer comes later, by `fuse_answer` and `fuse_answer_write`. */
enum { ANSWERS_LATER = -100000 };

/* All are called by the server's thread. They return bytes, or an errno negated. */
struct pseudo_file {
  /* Optional: a number for this opening, told to the others as the request's `handle`. */
  int (*open)(uint64_t *handle);
  void (*release)(uint64_t handle);
  ssize_t (*read)(const struct fuse_request *request, char *to, size_t size);
  /* Absent: cannot be written. */
  ssize_t (*write)(const struct fuse_request *request);
  /* Absent: always ready. */
  uint32_t (*poll)(const struct fuse_request *request);
  /* Optional: bytes there are to read now. sendfile(2) since Linux 6.5 asks for no more (filemap_splice_read). */
  uint64_t (*size)(uint64_t node);
  /* True if it held that request, and has answered it. */
  bool (*interrupt)(uint64_t unique);
  /* A stream has no positions: neither pread nor lseek. */
  bool stream;
  /* Writes wait. The kernel holds an inode's lock meanwhile (fuse_direct_write_iter), so each opening has an inode of its own. */
  bool blocks;
};

enum { VM_NODE = FUSE_ROOT_ID + 1 };
#define CHILD_NODES ((uint64_t)1 << 32)

struct pseudo_node {
  char name[40];
  uint64_t parent;
  mode_t mode;
  const struct pseudo_file *file; /* NULL: a directory */
};

/* False if there is none of that number (any more). */
bool pseudo_node(uint64_t number, struct pseudo_node *node);
/* The number of the entry, or 0. */
uint64_t pseudo_lookup(uint64_t parent, const char *name);
/* The directory's entry that comes after that number, by number; or 0. */
uint64_t pseudo_next(uint64_t parent, uint64_t after);
/* The file that held that request, if any, has answered it. */
void pseudo_interrupt(uint64_t unique);
