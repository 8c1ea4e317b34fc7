#include "file-record.h"

#include <string.h>

static bool take_path(const uint8_t **at, size_t *left, char *path);

/* type u8, mode u32, uid u32, gid u32, size u64, mtime i64, major u32, minor u32, then path and target as length u16, bytes */
bool entry_put(struct bytes *to, const struct entry *entry) {
  size_t path = strlen(entry->path), target = strlen(entry->target);
  if (path > PATH_BYTES_MAX || target > PATH_BYTES_MAX) return false;
  size_t body = ENTRY_FIXED + path + target;
  uint8_t *at = bytes_reserve(to, RECORD_HEAD + body);
  to->length += RECORD_HEAD + body;
  *at++ = RECORD_ENTRY;
  put32(at, (uint32_t)body), at += 4;
  *at++ = (uint8_t)entry->type;
  put32(at, entry->mode), at += 4;
  put32(at, entry->uid), at += 4;
  put32(at, entry->gid), at += 4;
  put64(at, entry->size), at += 8;
  put64(at, (uint64_t)entry->mtime_ms), at += 8;
  put32(at, entry->major), at += 4;
  put32(at, entry->minor), at += 4;
  put16(at, (uint16_t)path), at += 2;
  memcpy(at, entry->path, path), at += path;
  put16(at, (uint16_t)target), at += 2;
  memcpy(at, entry->target, target);
  return true;
}

bool entry_parse(const uint8_t *body, size_t length, struct entry *entry) {
  if (length < ENTRY_FIXED || body[0] < ENTRY_FILE || body[0] > ENTRY_BLOCK) return false;
  entry->type = (enum entry_type)body[0];
  entry->mode = get32(body + 1);
  entry->uid = get32(body + 5);
  entry->gid = get32(body + 9);
  entry->size = get64(body + 13);
  entry->mtime_ms = (int64_t)get64(body + 21);
  entry->major = get32(body + 29);
  entry->minor = get32(body + 33);
  const uint8_t *at = body + 37;
  size_t left = length - 37;
  if (!take_path(&at, &left, entry->path) || !take_path(&at, &left, entry->target) || left != 0) return false;
  if (entry->type == ENTRY_HARDLINK && !is_inner_path(entry->target)) return false;
  if (entry->type == ENTRY_SYMLINK && !entry->target[0]) return false;
  if (entry->type == ENTRY_FILE && entry->size > INT64_MAX) return false;
  return is_inner_path(entry->path);
}

static bool take_path(const uint8_t **at, size_t *left, char *path) {
  if (*left < 2) return false;
  size_t length = get16(*at);
  if (length > PATH_BYTES_MAX || length > *left - 2 || memchr(*at + 2, 0, length)) return false;
  memcpy(path, *at + 2, length);
  path[length] = 0;
  *at += 2 + length;
  *left -= 2 + length;
  return true;
}

bool is_inner_path(const char *path) {
  if (!*path) return true;
  for (const char *part = path;;) {
    size_t length = strcspn(part, "/");
    if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.')) return false;
    if (!part[length]) return true;
    part += length + 1;
  }
}
