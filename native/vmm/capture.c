/*
 * As `delta`, of a machine that goes on: `capture PID BYTES RUN DELTA INDEX STATE [OLD-INDEX...]`, run by root. RUN is the
 * directory of QEMU's sockets.
 *
 * Copies the pages while the machine runs and says "copied N", or "noted N" if the kernel notes what is written from there
 * on, so that a comparison costs little. Then it does as the lines of its input say, and answers each:
 *
 *   ready     and four lines, commands of QEMU's. The first one gives it a file in memory, the second one saves the devices
 *             into that, the third one switches the disk, the last one takes the file back. The two in the middle are sent
 *             ahead to RUN/save and RUN/disk. "ready" when QEMU has taken them in.
 *   take      once, while the machine stands still: keeps what differs by now, and the devices. "read N" when all is of one
 *             instant: so many pages were others; then it switches the disk. "taken".
 *   write     takes the file back, and fills DELTA, INDEX and STATE; the machine may do what it likes. "written N" pages;
 *             may be asked again.
 *
 * Or "failed REASON". Ends with its input. Exit status 1 and a line on stderr if the process or its memory is not what it
 * was. The copy is in its own memory: nothing is written to a disk while the machine stands.
 */
#include "ahead.h"
#include "written-pages.h"

#include <limits.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Devices are some 10 KB; more than this is not what we asked for. While nothing runs they change because somebody talks to
 * the agent: a few bytes, at some moment. */
enum { most_state_bytes = 16 << 20, most_tries = 10 };

/* A line of the input, with the byte that ends it. */
enum { most_command = 4096 };

struct state {
  char *bytes;
  size_t length;
};

struct copy {
  struct guest guest;
  /* A place for each page of the RAM; those that were never written take no memory and read as zeros. */
  char *bytes;
  /* Pages that belong to the delta, those that `bytes` has, as runs may take in some more, and those that were just written. */
  char *wanted, *has, *due;
  struct run *runs;
  uint32_t run_count;
  /* -1: the kernel does not note what is written. */
  int userfaultfd;
};

static void *need(void *memory) {
  if (memory == NULL || memory == MAP_FAILED) fail("have", "memory");
  return memory;
}

static void read_pages(const struct guest *guest, uint32_t page, size_t count, char *into) {
  size_t length = count * page_bytes;
  uint64_t from = guest->begin + (uint64_t)page * page_bytes;
  struct iovec local = {into, length}, remote = {(void *)(uintptr_t)from, length};
  errno = EIO;
  if (process_vm_readv((pid_t)guest->pid, &local, 1, &remote, 1, 0) != (ssize_t)length) fail("read", "the machine's memory");
}

static uint32_t keep(struct copy *copy, uint32_t page, uint32_t count) {
  uint32_t changed = 0;
  for (uint32_t done = 0; done < count;) {
    uint32_t left = count - done, pages = left < buffer_pages ? left : buffer_pages;
    read_pages(&copy->guest, page + done, pages, buffer);
    for (uint32_t i = 0; i < pages; i++) {
      char *kept = copy->bytes + (size_t)(page + done + i) * page_bytes;
      if (!differs(kept, buffer + i * page_bytes)) continue;
      memcpy(kept, buffer + i * page_bytes, page_bytes);
      changed++;
    }
    memset(copy->has + page + done, 1, pages);
    done += pages;
  }
  return changed;
}

/* Those that are due and are in a run; and all of a run that we do not have yet. */
static uint32_t keep_due(struct copy *copy) {
  uint32_t changed = 0;
  copy->run_count = find_runs(copy->wanted, copy->guest.pages, copy->runs);
  for (uint32_t i = 0; i < copy->run_count; i++) {
    uint32_t page = copy->runs[i].page, end = page + copy->runs[i].count;
    while (page < end) {
      uint32_t from = page;
      while (page < end && (copy->due[page] || !copy->has[page])) page++;
      if (page > from) changed += keep(copy, from, page - from);
      while (page < end && !copy->due[page] && copy->has[page]) page++;
    }
  }
  return changed;
}

static void stop_noting(struct copy *copy) {
  if (copy->userfaultfd >= 0) forget_writes(&copy->guest, copy->userfaultfd);
  copy->userfaultfd = -1;
}

/* Those of the process's own pages that were written since the look before; all if nobody knows, or if it is the first. */
static uint32_t compare(struct copy *copy, int first) {
  memset(copy->due, 0, copy->guest.pages);
  long written = first || copy->userfaultfd < 0 ? -1 : mark_written(&copy->guest, copy->due);
  if (written == 0) return 0;
  if (written < 0) {
    if (!first) stop_noting(copy);
    mark_own(&copy->guest, 0, copy->guest.pages, copy->due);
  }
  for (uint32_t page = 0; page < copy->guest.pages; page++) copy->wanted[page] |= copy->due[page];
  return keep_due(copy);
}

/* The count of pages, or -1 with errno. */
static long long write_down(const struct copy *copy, int delta, int index) {
  if (ftruncate(delta, 0) < 0 || ftruncate(index, 0) < 0) return -1;
  off_t at = 0;
  for (uint32_t i = 0; i < copy->run_count; i++) {
    const char *bytes = copy->bytes + (size_t)copy->runs[i].page * page_bytes;
    if (!write_pages(delta, bytes, copy->runs[i].count, at)) return -1;
    at += (off_t)copy->runs[i].count * page_bytes;
  }
  if (ftruncate(delta, at) < 0) return -1;
  if (!write_at(index, (const char *)copy->runs, copy->run_count * sizeof *copy->runs, 0)) return -1;
  return at / page_bytes;
}

static void make_path(char path[PATH_MAX], const char *directory, const char *name) {
  errno = ENAMETOOLONG;
  if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX) fail("name a file in", directory);
}

struct taking {
  struct ahead save, change;
  /* Where QEMU writes its devices: no disk is waited for, and nothing lies about afterwards. It has a copy of `given`. */
  int file, given;
  struct state state, before;
  const char *take_back;
};

static int read_state(int file, struct state *state) {
  struct stat status;
  if (fstat(file, &status) < 0) return because("read the devices", strerror(errno));
  int is_state = status.st_size > 0 && status.st_size <= most_state_bytes;
  if (is_state) state->bytes = need(realloc(state->bytes, (size_t)status.st_size));
  ssize_t length = is_state ? pread(file, state->bytes, (size_t)status.st_size, 0) : 0;
  if (length < 0) return because("read the devices", strerror(errno));
  if (length == 0) return because("read the devices", "it holds no device state");
  state->length = (size_t)length;
  return 1;
}

/* QEMU writes to no descriptor that it could read, too (qemu_dup_flags in util/osdep.c). */
static int make_file(struct taking *taking) {
  char path[64];
  taking->file = memfd_create("devices", MFD_CLOEXEC);
  snprintf(path, sizeof path, "/proc/self/fd/%d", taking->file);
  taking->given = taking->file < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
  return taking->given >= 0 || because("make a file in memory", strerror(errno));
}

static int get_ready(struct taking *taking, const char *run, char lines[][most_command]) {
  char path[PATH_MAX];
  if (!make_file(taking)) return 0;
  make_path(path, run, "save");
  if (!open_ahead(&taking->save, path) || !ask(&taking->save, lines[0], taking->given)) return 0;
  taking->take_back = lines[3];
  if (!send_ahead(&taking->save, lines[1])) return 0;
  make_path(path, run, "disk");
  if (!open_ahead(&taking->change, path) || !send_ahead(&taking->change, lines[2])) return 0;
  return await_taken_in(&taking->save) && await_taken_in(&taking->change);
}

static int save_devices(struct taking *taking) {
  struct state last = taking->before;
  taking->before = taking->state;
  taking->state = last;
  /* QEMU empties the file, and writes on from where it was. */
  lseek(taking->given, 0, SEEK_SET);
  return carry_out(&taking->save) && read_state(taking->file, &taking->state);
}

static int is_as_before(const struct taking *taking) {
  const struct state *one = &taking->before, *other = &taking->state;
  return one->length == other->length && memcmp(one->bytes, other->bytes, one->length) == 0;
}

/*
 * Devices and memory of one instant. While the processors stand, what somebody sends to the agent still reaches the guest's
 * memory, and shows in its devices: then both are read again. Of the two, what costs less is read twice. The count of pages
 * that were others, or -1 with a reason.
 */
static long read_machine(struct copy *copy, struct taking *taking) {
  int is_noted = copy->userfaultfd >= 0;
  long changed = 0;
  if (is_noted) changed = compare(copy, 0);
  else if (!save_devices(taking)) return -1;
  for (int tries = 0; tries < most_tries; tries++) {
    if (!is_noted) changed += compare(copy, 0);
    if (!save_devices(taking)) return -1;
    uint32_t late = is_noted ? compare(copy, 0) : 0;
    if (is_noted ? late == 0 : is_as_before(taking)) return changed;
    changed += late;
  }
  because("read the machine", "its devices do not stand still");
  return -1;
}

static void say(const char *words) {
  if (printf("%s\n", words) < 0 || fflush(stdout) != 0) exit(1);
}

static void say_count(const char *word, long long count) {
  char words[64];
  snprintf(words, sizeof words, "%s %lld", word, count);
  say(words);
}

static void say_failed(void) {
  char words[sizeof reason + 16];
  snprintf(words, sizeof words, "failed %s", reason);
  words[strcspn(words, "\r\n")] = '\0';
  say(words);
}

static void take(struct copy *copy, struct taking *taking) {
  long changed = read_machine(copy, taking);
  if (changed < 0) return say_failed();
  say_count("read", changed);
  if (carry_out(&taking->change)) say("taken");
  else say_failed();
}

static int read_line(char line[most_command]) {
  if (fgets(line, most_command, stdin) == NULL) return 0;
  line[strcspn(line, "\n")] = '\0';
  return 1;
}

int main(int argc, char **argv) {
  program = "capture";
  errno = EINVAL;
  if (argc < 7) fail("read", "arguments");
  struct guest guest = find_guest(argv[1], argv[2]);
  const char *run = argv[3];
  size_t bytes = (size_t)guest.pages * page_bytes;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  struct copy copy = {
      .guest = guest,
      .bytes = need(mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0)),
      .wanted = need(calloc(guest.pages, 1)),
      .has = need(calloc(guest.pages, 1)),
      .due = need(calloc(guest.pages, 1)),
      .runs = need(calloc(most_runs, sizeof *copy.runs)),
      .userfaultfd = note_writes(&guest),
  };
  int delta = open_output(argv[4]), index = open_output(argv[5]), state = open_output(argv[6]);
  /* A huge page for each page that was written would be far more memory than the machine's own. */
  madvise(copy.bytes, bytes, MADV_NOHUGEPAGE);
  for (int old = 7; old < argc; old++) mark_old(argv[old], copy.wanted, guest.pages);
  uint32_t copied = compare(&copy, 1);
  say_count(copy.userfaultfd < 0 ? "copied" : "noted", copied);
  /* From here on a machine stands while we work. If it may not be, the host's own order will do. */
  setpriority(PRIO_PROCESS, 0, -10);

  static struct taking taking;
  static char line[most_command], commands[4][most_command];
  while (read_line(line)) {
    if (strcmp(line, "ready") == 0) {
      for (int at = 0; at < 4; at++)
        if (!read_line(commands[at])) return 1;
      if (get_ready(&taking, run, commands)) {
        /* What was written meanwhile need not wait for the pause. */
        if (copy.userfaultfd >= 0) compare(&copy, 0);
        say("ready");
      } else {
        say_failed();
      }
    } else if (strcmp(line, "take") == 0) take(&copy, &taking);
    else if (strcmp(line, "write") == 0) {
      stop_noting(&copy);
      /* It may be gone by now. */
      ask(&taking.save, taking.take_back, -1);
      long long pages = write_down(&copy, delta, index);
      if (pages >= 0 && ftruncate(state, 0) == 0 && write_at(state, taking.state.bytes, taking.state.length, 0))
        say_count("written", pages);
      else {
        because("write", strerror(errno));
        say_failed();
      }
    } else return 1;
  }
  return 0;
}
