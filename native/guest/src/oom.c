#include "oom.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event-loop.h"
#include "events.h"
#include "fields.h"
#include "platform.h"

enum { REMEMBERED = 16, RECORDS_AT_ONCE = 256 };

static struct source source = {.fd = -1};
static uint32_t killed[REMEMBERED];
static size_t killings;

static void ready(struct source *unused, uint32_t events);
static void report(const struct oom_kill *kill);
static uint64_t number_after(const char *text, const char *label);

void oom_watch(void) {
  source.fd = platform_kernel_log();
  source.ready = ready;
  if (source.fd >= 0) loop_watch(&source);
}

bool oom_killed(int pid) {
  ready(&source, 0);
  for (size_t i = 0; i < killings && i < REMEMBERED; i++)
    if (killed[i] == (uint32_t)pid) return true;
  return false;
}

/* A record per read; EPIPE: records were overwritten before we came. */
static void ready(struct source *unused, uint32_t events) {
  (void)unused, (void)events;
  char record[2048];
  for (int i = 0; source.fd >= 0 && i < RECORDS_AT_ONCE; i++) {
    ssize_t got = read(source.fd, record, sizeof record - 1);
    if (got < 0 && (errno == EPIPE || errno == EINTR || errno == EINVAL)) continue;
    if (got <= 0) return;
    record[got] = 0;
    struct oom_kill kill;
    if (parse_oom_kill(record, &kill)) report(&kill);
  }
}

static void report(const struct oom_kill *kill) {
  killed[killings++ % REMEMBERED] = kill->pid;
  struct bytes fields = {0};
  field_put_text(&fields, KEY_PROCESS, kill->process);
  field_put_u64(&fields, KEY_RSS_KB, kill->rss_kb);
  events_add(EVENT_OOM, &fields);
  bytes_free(&fields);
}

/* "3,1234,5678,-;Out of memory: Killed process 42 (name) total-vm:…kB, anon-rss:…kB, file-rss:…kB, shmem-rss:…kB, …" */
bool parse_oom_kill(const char *record, struct oom_kill *kill) {
  char *end;
  unsigned long priority = strtoul(record, &end, 10);
  /* Facility 0 is the kernel's alone: what a process writes to /dev/kmsg gets another (kernel/printk/printk.c, devkmsg_write). */
  if (*end != ',' || priority >> 3 != 0) return false;
  const char *text = strchr(end, ';');
  if (!text) return false;
  static const char label[] = "Killed process ";
  const char *found = strstr(text, label);
  if (!found || !strstr(text, "ut of memory")) return false;
  unsigned long pid = strtoul(found + strlen(label), &end, 10);
  const char *name = strchr(end, '(');
  /* The name may hold anything, also parentheses. */
  const char *rest = name ? strstr(name, ") total-vm:") : NULL;
  if (!rest) return false;
  kill->pid = (uint32_t)pid;
  snprintf(kill->process, sizeof kill->process, "%.*s", (int)(rest - name - 1), name + 1);
  kill->rss_kb = number_after(rest, "anon-rss:") + number_after(rest, "file-rss:") + number_after(rest, "shmem-rss:");
  return true;
}

static uint64_t number_after(const char *text, const char *label) {
  const char *found = strstr(text, label);
  return found ? strtoull(found + strlen(label), NULL, 10) : 0;
}
