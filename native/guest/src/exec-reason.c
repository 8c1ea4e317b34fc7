#include "exec-reason.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 4096 };

static size_t read_head(const char *path, unsigned char *head);
static bool other_machine(const unsigned char *head, size_t length);
static bool elf_interpreter(const unsigned char *head, size_t length, char *interpreter, size_t size);

int explain_exec(const char *path, int error, char *reason, size_t size) {
  unsigned char head[HEAD_BYTES];
  char interpreter[256];
  struct stat status;
  if (stat(path, &status) != 0) {
    snprintf(reason, size, "%s: %s", path, strerror(errno));
    return errno == ENOENT || errno == ENOTDIR ? 127 : 126;
  }
  if (S_ISDIR(status.st_mode)) return snprintf(reason, size, "%s: is a directory", path), 126;
  size_t length = read_head(path, head);
  bool has = find_interpreter(head, length, interpreter, sizeof interpreter);
  if (error == ENOENT && has) {
    bool elf = head[0] == 0x7f;
    snprintf(reason, size, "%s: its %s %s is missing", path, elf ? "ELF loader" : "interpreter", interpreter);
    return 127;
  }
  if (error == ENOEXEC && other_machine(head, length)) {
    snprintf(reason, size, "%s: is a program for another kind of processor", path);
  } else if (error == ENOEXEC) {
    snprintf(reason, size, "%s: is neither an ELF program nor a script that starts with #!", path);
  } else if (error == EACCES && !(status.st_mode & 0111)) {
    snprintf(reason, size, "%s: is not executable", path);
  } else if (error == EACCES && has) {
    snprintf(reason, size, "%s: may not be executed, or its interpreter %s may not", path, interpreter);
  } else {
    snprintf(reason, size, "%s: %s", path, strerror(error));
  }
  return error == ENOENT ? 127 : 126;
}

bool find_interpreter(const unsigned char *head, size_t length, char *interpreter, size_t size) {
  if (length < 4) return false;
  if (memcmp(head, ELFMAG, SELFMAG) == 0) return elf_interpreter(head, length, interpreter, size);
  if (head[0] != '#' || head[1] != '!') return false;
  size_t at = 2, end;
  while (at < length && (head[at] == ' ' || head[at] == '\t')) at++;
  for (end = at; end < length && !strchr(" \t\r\n", head[end]); end++) {
  }
  if (end == at) return false;
  snprintf(interpreter, size, "%.*s", (int)(end - at), (const char *)head + at);
  return true;
}

static bool elf_interpreter(const unsigned char *head, size_t length, char *interpreter, size_t size) {
  size_t at, step, type_offset, count;
  if (head[EI_CLASS] == ELFCLASS64 && length >= sizeof(Elf64_Ehdr)) {
    Elf64_Ehdr elf;
    memcpy(&elf, head, sizeof elf);
    at = elf.e_phoff, step = elf.e_phentsize, count = elf.e_phnum, type_offset = sizeof(Elf64_Phdr);
  } else if (length > EI_CLASS && head[EI_CLASS] == ELFCLASS32 && length >= sizeof(Elf32_Ehdr)) {
    Elf32_Ehdr elf;
    memcpy(&elf, head, sizeof elf);
    at = elf.e_phoff, step = elf.e_phentsize, count = elf.e_phnum, type_offset = sizeof(Elf32_Phdr);
  } else {
    return false;
  }
  if (step < type_offset) return false;
  for (; count > 0 && at < length && length - at >= type_offset; count--, at += step) {
    Elf64_Phdr wide;
    Elf32_Phdr narrow;
    size_t offset, bytes;
    uint32_t type;
    if (type_offset == sizeof wide) {
      memcpy(&wide, head + at, sizeof wide);
      type = wide.p_type, offset = wide.p_offset, bytes = wide.p_filesz;
    } else {
      memcpy(&narrow, head + at, sizeof narrow);
      type = narrow.p_type, offset = narrow.p_offset, bytes = narrow.p_filesz;
    }
    if (type != PT_INTERP || offset >= length || bytes > length - offset) continue;
    snprintf(interpreter, size, "%.*s", (int)bytes, (const char *)head + offset);
    return true;
  }
  return false;
}

static bool other_machine(const unsigned char *head, size_t length) {
  unsigned char own[HEAD_BYTES];
  if (length < 20 || memcmp(head, ELFMAG, SELFMAG) != 0) return false;
  if (read_head("/proc/self/exe", own) < 20) return false;
  return head[EI_CLASS] != own[EI_CLASS] || memcmp(head + 18, own + 18, 2) != 0;
}

static size_t read_head(const char *path, unsigned char *head) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return 0;
  ssize_t got = read(fd, head, HEAD_BYTES);
  close(fd);
  return got > 0 ? (size_t)got : 0;
}
