/* The daemon's connections. More than one only while one daemon takes over from another. */
#pragma once
#include <poll.h>
#include <stdbool.h>

#include "command.h"

enum { MOST_CONNECTIONS = 4, CONTROL_FDS = MOST_CONNECTIONS + 1 };

/* Answers a command by writing into `answer`; false ends the connection. */
typedef bool command_handler(const struct command *command, char *answer, size_t size);
/* Called when somebody has connected: `control_tell` reaches that one only. */
typedef void greeter(void);

/* Ends the process with a word on stderr if the socket cannot be made. */
void control_open(const char *path);
/* Fills CONTROL_FDS entries. */
void control_poll_fds(struct pollfd *fds);
void control_serve(const struct pollfd *fds, command_handler *handle, greeter *greet);
/* To everybody. Who does not read for too long is cut off, and will hear all again when it is back. */
void control_tell(const char *line);
