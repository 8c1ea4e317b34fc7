#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set(struct texts *env, const char *entry);
static void set_if_missing(struct texts *env, const char *name, const char *value);

struct texts make_environment(const struct texts *under, const struct texts *over, const char *hostname,
                              const char *home, bool terminal) {
  struct texts env = {0};
  for (size_t i = 0; i < under->count; i++) set(&env, under->items[i]);
  for (size_t i = 0; i < over->count; i++) set(&env, over->items[i]);
  set_if_missing(&env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  set_if_missing(&env, "HOSTNAME", hostname);
  set_if_missing(&env, "HOME", home);
  if (terminal) set_if_missing(&env, "TERM", "xterm");
  return env;
}

const char *environment_get(const struct texts *env, const char *name) {
  size_t length = strlen(name);
  for (size_t i = env->count; i-- > 0;)
    if (strncmp(env->items[i], name, length) == 0 && env->items[i][length] == '=') return env->items[i] + length + 1;
  return NULL;
}

/* An entry without a name cannot be set by any shell: it is left out. */
static void set(struct texts *env, const char *entry) {
  const char *equals = strchr(entry, '=');
  if (!equals || equals == entry) return;
  size_t name = (size_t)(equals - entry) + 1;
  for (size_t i = 0; i < env->count; i++) {
    if (strncmp(env->items[i], entry, name) != 0) continue;
    free(env->items[i]);
    env->items[i] = need(strdup(entry));
    return;
  }
  texts_add(env, need(strdup(entry)));
}

static void set_if_missing(struct texts *env, const char *name, const char *value) {
  if (environment_get(env, name)) return;
  size_t size = strlen(name) + strlen(value) + 2;
  char *entry = need(malloc(size));
  snprintf(entry, size, "%s=%s", name, value);
  texts_add(env, entry);
}
