#include <string.h>

#include "check.h"
#include "environment.h"

static struct texts list(const char *const *items) {
  struct texts texts = {0};
  for (; *items; items++) texts_add(&texts, need(strdup(*items)));
  return texts;
}

int main(void) {
  struct texts under = list((const char *[]){"A=1", "PATH=/x", "A=2", "nonsense", "=x", NULL});
  struct texts over = list((const char *[]){"A=3", "B=", NULL});
  struct texts env = make_environment(&under, &over, "web", "/root", true);
  CHECK(strcmp(environment_get(&env, "A"), "3") == 0 && strcmp(environment_get(&env, "B"), "") == 0);
  CHECK(strcmp(environment_get(&env, "PATH"), "/x") == 0 && strcmp(environment_get(&env, "HOME"), "/root") == 0);
  CHECK(strcmp(environment_get(&env, "HOSTNAME"), "web") == 0 && strcmp(environment_get(&env, "TERM"), "xterm") == 0);
  CHECK(env.count == 6 && env.items[6] == NULL && !environment_get(&env, "PAT"));
  texts_free(&under), texts_free(&over), texts_free(&env);
  env = make_environment(&under, &over, "web", "/", false);
  CHECK(env.count == 3 && strncmp(environment_get(&env, "PATH"), "/usr/local/sbin:", 16) == 0);
  texts_free(&env);
}
