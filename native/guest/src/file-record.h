/*
 * How files travel, both ways: records of kind u8, length u32, body. A file's entry is followed by DATA and HOLE records
 * that add up to its size. The sender of entries ends with DONE; who cannot go on sends FAILED. A reader that gets the
 * end of the bytes before DONE undoes what it can.
 */
#pragma once
#include "bytes.h"

enum record_kind { RECORD_ENTRY = 1, RECORD_DATA = 2, RECORD_HOLE = 3, RECORD_DONE = 4, RECORD_FAILED = 5 };
enum { RECORD_HEAD = 5, RECORD_MAX = 64 << 10, ENTRY_FIXED = 41, PATH_BYTES_MAX = 4095 };
enum entry_type {
  ENTRY_FILE = 1,
  ENTRY_DIRECTORY = 2,
  ENTRY_SYMLINK = 3,
  ENTRY_HARDLINK = 4,
  ENTRY_FIFO = 5,
  ENTRY_CHAR = 6,
  ENTRY_BLOCK = 7,
};

struct entry {
  enum entry_type type;
  uint32_t mode, uid, gid, major, minor;
  uint64_t size;
  int64_t mtime_ms;
  /* Decoded paths are relative and go nowhere upwards. */
  char path[PATH_BYTES_MAX + 1], target[PATH_BYTES_MAX + 1];
};

/* Appends a whole record; false if its paths are too long. */
bool entry_put(struct bytes *to, const struct entry *entry);
/* The body of an ENTRY record; false if it is none. */
bool entry_parse(const uint8_t *body, size_t length, struct entry *entry);
/* No leading slash, no "..", no empty component but "" itself. */
bool is_inner_path(const char *path);
