/*
 * Changes links, addresses, routes and neighbours of its network namespace for the daemon, whose child it is. Starting
 * iproute2 for each change costs more than the change, and one that is kept running takes a device that was made anew
 * under its old name for the old one.
 *
 * Each line of standard input is a list of commands with ';' between them. The answer is a line as well: "ok", or the
 * commands that failed with their reasons. The first failure ends the list, unless it begins with "force;". Ends with its
 * input.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

static const char force_word[] = "force;";

/* Commands are taken apart as they are carried out: a copy is what an answer quotes. */
static void run_list(char *list) {
  bool force = strncmp(list, force_word, sizeof force_word - 1) == 0;
  if (force) list += sizeof force_word - 1;
  int failures = 0;
  for (char *command; (command = strsep(&list, ";")) != NULL && (failures == 0 || force);) {
    char *said = strdup(command);
    int reason = command_run(command);
    if (reason != 0) printf("%s%s: %s", failures++ == 0 ? "" : "; ", said == NULL ? "" : said, strerror(reason));
    free(said);
  }
  if (failures == 0) fputs("ok", stdout);
  putchar('\n');
  fflush(stdout);
}

int main(void) {
  char *line = NULL;
  size_t size = 0;
  for (ssize_t length; (length = getline(&line, &size, stdin)) > 0;) {
    if (line[length - 1] == '\n') line[length - 1] = '\0';
    run_list(line);
  }
  return 0;
}
