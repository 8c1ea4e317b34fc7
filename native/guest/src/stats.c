#include "stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "connections.h"
#include "fields.h"
#include "inhibitors.h"
#include "paths.h"
#include "platform.h"
#include "wire.h"

static uint64_t memory_of(const char *meminfo, const char *label);
static uint64_t cpu_ms(void);
static uint32_t count_processes(void);
static bool is_user_process(int proc, const char *pid);

void stats_put(struct bytes *fields) {
  char meminfo[4096];
  if (read_text(platform_proc(), "meminfo", meminfo, sizeof meminfo) < 0) meminfo[0] = 0;
  field_put_u64(fields, KEY_MEMORY_TOTAL_KB, memory_of(meminfo, "MemTotal:"));
  field_put_u64(fields, KEY_MEMORY_AVAILABLE_KB, memory_of(meminfo, "MemAvailable:"));
  field_put_u64(fields, KEY_CPU_MS, cpu_ms());
  field_put_u32(fields, KEY_PROCESSES, count_processes());
  field_put_u32(fields, KEY_CONNECTIONS, connections_count());
  field_put_u64(fields, KEY_INHIBITORS, inhibitors_count());
  struct statvfs disk;
  int fd = platform_disk();
  if (fd < 0 || fstatvfs(fd, &disk) != 0) return;
  uint64_t block = disk.f_frsize;
  field_put_u64(fields, KEY_DISK_USED_KB, (disk.f_blocks - disk.f_bfree) * block / 1024);
  field_put_u64(fields, KEY_DISK_TOTAL_KB, disk.f_blocks * block / 1024);
}

static uint64_t memory_of(const char *meminfo, const char *label) {
  const char *found = strstr(meminfo, label);
  return found ? strtoull(found + strlen(label), NULL, 10) : 0;
}

/* The first line sums all CPUs: user, nice, system, idle, iowait, irq, softirq, steal. */
static uint64_t cpu_ms(void) {
  char stat[512];
  unsigned long long user, nice, system, idle, wait, irq, softirq, steal;
  if (read_text(platform_proc(), "stat", stat, sizeof stat) < 0) return 0;
  if (sscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &wait, &irq, &softirq,
             &steal) != 8)
    return 0;
  return (user + nice + system + irq + softirq) * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK);
}

static uint32_t count_processes(void) {
  int fd = openat(platform_proc(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *directory = fd < 0 ? NULL : fdopendir(fd);
  if (!directory) return 0;
  uint32_t count = 0;
  for (struct dirent *entry; (entry = readdir(directory));)
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_user_process(fd, entry->d_name)) count++;
  closedir(directory);
  return count;
}

/* Not the agent, and not a kernel thread (flag PF_KTHREAD, field 9 of proc_pid_stat(5)). */
static bool is_user_process(int proc, const char *pid) {
  enum { PF_KTHREAD = 0x00200000 };
  char path[64], stat[512];
  if (atoi(pid) == getpid()) return false;
  snprintf(path, sizeof path, "%.32s/stat", pid);
  if (read_text(proc, path, stat, sizeof stat) < 0) return false;
  const char *fields = strrchr(stat, ')');
  unsigned flags = 0;
  if (!fields || sscanf(fields, ") %*c %*d %*d %*d %*d %*d %u", &flags) != 1) return false;
  return !(flags & PF_KTHREAD);
}
