#ifndef COMMANDS_H
#define COMMANDS_H

/* Carries out one command, which it takes apart. 0, or why not: EINVAL if it is none of ours. */
int command_run(char *command);

#endif
