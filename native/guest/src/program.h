/* The instance's program: started once, watched, stopped with patience, reported when it ends. */
#pragma once
#include "config-message.h"

/* With a terminal, or an open standard input, its input is a stream: see streams_keep_input. `configured_at_us`: when the configuration came, for the timings. Keeps what it needs of `config`. */
void program_start(const struct configuration *config, int64_t configured_at_us);
bool program_running(void);
/* False if there is none. */
bool program_signal(int signal);
/* The program and what it started, unless that has left its process group. */
bool program_signal_group(int signal);
/* The stop signal now, SIGKILL to everything later; calls `gone` (once) when the program is no more. */
void program_stop(uint32_t grace_ms, void (*gone)(void));
/* Takes note if `pid` was the program. */
void program_ended(int pid, int status);
/* Moves output into the log; true if there is more to move. */
bool program_drain(void);
/* SIGKILL to every process of the guest but the agent. */
void program_kill_all(void);
/* Nothing of its output is left in the pipes and its end, if any, is reported. */
bool program_settled(void);
