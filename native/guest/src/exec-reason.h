/* Why execve refused a file, in words; ENOENT for a file that exists means its interpreter or ELF loader is missing. */
#pragma once
#include <stddef.h>

/* Returns 126 or 127, as a shell has it. */
int explain_exec(const char *path, int error, char *reason, size_t size);
/* The interpreter that the file's first bytes name ("#!" or PT_INTERP), or false. */
_Bool find_interpreter(const unsigned char *head, size_t length, char *interpreter, size_t size);
