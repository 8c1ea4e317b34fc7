/*
 * Prints the rate of the processor's time-stamp counter in kHz: the kernel's own figure where it tells (the fields for
 * user-space time of perf_event_open(2)), else a measurement.
 */
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static uint64_t kernels_figure(void) {
  struct perf_event_attr attributes = {
      .type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_DUMMY, .exclude_kernel = 1};
  int fd = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
  if (fd < 0) return 0;
  struct perf_event_mmap_page *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED || !page->cap_user_time || page->time_mult == 0) return 0;
  /* nanoseconds = (cycles * time_mult) >> time_shift */
  return (uint64_t)((((__uint128_t)1000000) << page->time_shift) / page->time_mult);
}

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

struct moment {
  uint64_t cycles, nanoseconds;
};

/* Both clocks at one instant: the try that an interrupt or a page fault stretched least. */
static struct moment moment(void) {
  struct moment best = {0};
  uint64_t narrowest = UINT64_MAX;
  for (int i = 0; i < 20; i++) {
    uint64_t before = __rdtsc(), now = nanoseconds(), after = __rdtsc();
    if (after - before >= narrowest) continue;
    narrowest = after - before;
    best = (struct moment){before + narrowest / 2, now};
  }
  return best;
}

static uint64_t measured(void) {
  struct moment start = moment();
  nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
  struct moment end = moment();
  return (uint64_t)((__uint128_t)(end.cycles - start.cycles) * 1000000U / (end.nanoseconds - start.nanoseconds));
}

int main(void) {
  uint64_t khz = kernels_figure();
  if (khz == 0) khz = measured();
  return printf("%llu\n", (unsigned long long)khz) < 0;
}
