/* Users and groups by the image's own files, with Docker's rules. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { GROUPS_MAX = 1024 };

struct identity {
  uid_t uid;
  gid_t gid;
  char home[4096];
  size_t group_count;
  gid_t groups[GROUPS_MAX];
};

/*
 * `user` is "", "name", "uid", "name:group" or "uid:gid". The files' texts may be NULL. False with a reason if a name is
 * in neither file; a number need not be.
 */
bool resolve_user(const char *user, const char *passwd, const char *group, struct identity *identity, char *reason,
                  size_t reason_size);
