#pragma once

/* Writes the tree at `path` as records; runs in a process of its own. Returns its exit status. */
int read_files(const char *path, int out);
