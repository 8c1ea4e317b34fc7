#include <string.h>

#include "check.h"
#include "oom.h"

static const char real[] =
    "3,612,9876543,-;Out of memory: Killed process 112 (ta) (il) total-vm:53728kB, anon-rss:51636kB, file-rss:4kB, "
    "shmem-rss:1kB, UID:0 pgtables:136kB oom_score_adj:0\n";

int main(void) {
  struct oom_kill kill;
  CHECK(parse_oom_kill(real, &kill));
  CHECK(kill.pid == 112 && strcmp(kill.process, "ta) (il") == 0 && kill.rss_kb == 51641);
  CHECK(parse_oom_kill("3,1,1,-;Memory cgroup out of memory: Killed process 9 (x) total-vm:1kB, anon-rss:2kB", &kill));
  /* The same words from a process of the guest: another facility. */
  CHECK(!parse_oom_kill("12,612,1,-;Out of memory: Killed process 112 (tail) total-vm:1kB", &kill));
  CHECK(!parse_oom_kill("3,612,1,-;Out of memory: Killed process", &kill));
  CHECK(!parse_oom_kill("6,1,1,-;eth0: link up", &kill) && !parse_oom_kill("", &kill));
}
