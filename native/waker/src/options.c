#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static const char *value_of(const char *argument, const char *name);
static bool read_pool(const char *text, struct options *options);

struct options options_read(char **arguments) {
  struct options o = {0};
  bool known = true;
  for (char **a = arguments; known && *a != NULL; a++) {
    const char *value;
    if ((value = value_of(*a, "--device=")) != NULL) o.device = value;
    else if ((value = value_of(*a, "--socket=")) != NULL) o.socket = value;
    else if ((value = value_of(*a, "--pool=")) != NULL) known = read_pool(value, &o);
    else known = false;
  }
  if (known && o.device != NULL && o.socket != NULL && o.pool_length != 0) return o;
  fprintf(stderr, "usage: waker --device=NAME --pool=A.B.C.D/N --socket=PATH, with N from 16 to 30\n");
  exit(2);
}

static const char *value_of(const char *argument, const char *name) {
  size_t length = strlen(name);
  return strncmp(argument, name, length) == 0 ? argument + length : NULL;
}

static bool read_pool(const char *text, struct options *o) {
  const char *slash = strchr(text, '/');
  if (slash == NULL || !address_read(text, (size_t)(slash - text), &o->pool)) return false;
  o->pool_length = (unsigned)atoi(slash + 1);
  return o->pool_length >= 16 && o->pool_length <= 30;
}
