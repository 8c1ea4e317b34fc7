#include "passwd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A part of a text, without NUL. */
struct span {
  const char *at;
  size_t length;
};

static bool next_line(const char **text, struct span *line);
static size_t split(struct span line, struct span *parts, size_t most);
static bool same(struct span span, const char *text, size_t length);
static bool number_of(const char *text, size_t length, unsigned long *number);
static bool find_group(const char *group, const char *name, size_t length, gid_t *gid);
static void add_groups(const char *group, struct span name, struct identity *identity);

bool resolve_user(const char *user, const char *passwd, const char *group, struct identity *identity, char *reason,
                  size_t reason_size) {
  const char *colon = strchr(user, ':');
  size_t length = colon ? (size_t)(colon - user) : strlen(user);
  const char *name = length ? user : "0";
  if (!length) length = 1;
  *identity = (struct identity){.home = "/"};
  unsigned long wanted = 0;
  bool numeric = number_of(name, length, &wanted);
  bool found = false;
  struct span line, part[7], login = {0};
  for (const char *at = passwd ? passwd : ""; !found && next_line(&at, &line);) {
    unsigned long uid, gid;
    if (split(line, part, 7) < 4 || !number_of(part[2].at, part[2].length, &uid)) continue;
    if (!same(part[0], name, length) && !(numeric && uid == wanted)) continue;
    if (!number_of(part[3].at, part[3].length, &gid)) continue;
    found = true;
    login = part[0];
    identity->uid = (uid_t)uid;
    identity->gid = (gid_t)gid;
    if (part[5].length > 0) snprintf(identity->home, sizeof identity->home, "%.*s", (int)part[5].length, part[5].at);
  }
  if (!found && !numeric) {
    snprintf(reason, reason_size, "user %.*s is not in the image's /etc/passwd", (int)length, name);
    return false;
  }
  if (!found) identity->uid = (uid_t)wanted;
  if (colon && colon[1]) {
    if (find_group(group, colon + 1, strlen(colon + 1), &identity->gid)) return true;
    snprintf(reason, reason_size, "group %s is not in the image's /etc/group", colon + 1);
    return false;
  }
  if (found) add_groups(group, login, identity);
  return true;
}

static bool find_group(const char *group, const char *name, size_t length, gid_t *gid) {
  struct span line, part[4];
  unsigned long number;
  for (const char *at = group ? group : ""; next_line(&at, &line);) {
    if (split(line, part, 4) < 3 || !same(part[0], name, length)) continue;
    if (!number_of(part[2].at, part[2].length, &number)) continue;
    *gid = (gid_t)number;
    return true;
  }
  if (!number_of(name, length, &number)) return false;
  *gid = (gid_t)number;
  return true;
}

static void add_groups(const char *group, struct span name, struct identity *identity) {
  struct span line, part[4];
  unsigned long number;
  for (const char *at = group ? group : ""; next_line(&at, &line);) {
    if (split(line, part, 4) < 4 || !number_of(part[2].at, part[2].length, &number)) continue;
    for (struct span left = part[3]; left.length > 0;) {
      const char *comma = memchr(left.at, ',', left.length);
      struct span member = {left.at, comma ? (size_t)(comma - left.at) : left.length};
      size_t used = member.length + (comma ? 1 : 0);
      left = (struct span){left.at + used, left.length - used};
      if (!same(member, name.at, name.length)) continue;
      if (identity->group_count < GROUPS_MAX) identity->groups[identity->group_count++] = (gid_t)number;
      break;
    }
  }
}

static bool next_line(const char **text, struct span *line) {
  if (**text == 0) return false;
  const char *end = strchr(*text, '\n');
  line->at = *text;
  line->length = end ? (size_t)(end - *text) : strlen(*text);
  *text = end ? end + 1 : *text + line->length;
  return true;
}

/* Cuts at colons; absent parts are empty. Returns how many there were. */
static size_t split(struct span line, struct span *parts, size_t most) {
  size_t count = 0;
  const char *at = line.at, *end = line.at + line.length;
  while (count < most) {
    const char *colon = memchr(at, ':', (size_t)(end - at));
    parts[count++] = (struct span){at, (size_t)((colon ? colon : end) - at)};
    if (!colon) break;
    at = colon + 1;
  }
  for (size_t i = count; i < most; i++) parts[i] = (struct span){end, 0};
  return count;
}

static bool same(struct span span, const char *text, size_t length) {
  return span.length == length && memcmp(span.at, text, length) == 0;
}

static bool number_of(const char *text, size_t length, unsigned long *number) {
  if (length == 0 || length > 10) return false;
  *number = 0;
  for (size_t i = 0; i < length; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    *number = *number * 10 + (unsigned long)(text[i] - '0');
  }
  return *number <= 0xfffffffe;
}
