#pragma once

/* Takes records from `in` and makes what they say at `path`; runs in a process of its own. Returns its exit status. */
int write_files(const char *path, int in, int out);
