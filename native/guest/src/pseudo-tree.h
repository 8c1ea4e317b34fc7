/* The directories and files of /uk/libukp. A further one is a line of the table and a `struct pseudo_file`. */
#pragma once
#include <sys/types.h>

#include "fuse-request.h"

/* From `read`: the answer comes later, by `fuse_answer`. */
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
  uint64_t (*size)(void);
  /* True if it held that request, and has answered it. */
  bool (*interrupt)(uint64_t unique);
  /* A stream has no positions: neither pread nor lseek. */
  bool stream;
};

struct pseudo_node {
  const char *name;
  uint64_t parent;
  mode_t mode;
  const struct pseudo_file *file; /* NULL: a directory */
};

/* Nodes are numbered from FUSE_ROOT_ID on; NULL beyond the last. */
const struct pseudo_node *pseudo_node(uint64_t number);
/* The number of the entry, or 0. */
uint64_t pseudo_lookup(uint64_t parent, const char *name);
