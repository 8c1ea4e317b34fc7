/* Small helpers on files. All return false or -1 with errno set, unless said otherwise. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

bool write_text(int directory, const char *path, const char *text);
/* Reads at most `size - 1` bytes and ends them with NUL; -1 if it cannot be read. */
ssize_t read_text(int directory, const char *path, char *text, size_t size);
/* A whole regular file of at most `most` bytes, ended with NUL, to be freed; NULL if there is none. Never blocks on a FIFO. */
char *read_regular(const char *path, size_t most, size_t *length);
/* Like mkdir -p. */
bool make_directories(int base, const char *path, mode_t mode);
bool write_all(int fd, const void *data, size_t length);
/* False at the end or on an error before `length` bytes came. */
bool read_all(int fd, void *data, size_t length);
