/*
 * Preloaded into QEMU: one that has its own name as UNI_ZYGOTE in its environment never becomes a machine itself,
 * but forks into one. Loading and linking QEMU and its fifty libraries takes most of the time of its start; what is forked
 * has that behind it, and shares the memory that it took. It stops before the first line of QEMU's own code has run, and
 * before there is a second thread.
 *
 * Started by root. It reads requests from stdin: the length in decimal and a line feed, then as many bytes: the arguments of
 * launch.c, each ended by a null byte. Its answers, one line each on stdout:
 *
 *   ready              once, when the first request may come
 *   started PID        to each request: what is forked leads a session of its own, and says in its log if it fails
 *   ended PID SIGNAL   of each one that was started; 0 if no signal ended it
 *
 * It ends with its input; what it started goes on.
 */
#include "unprivileged.h"

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define PUBLIC __attribute__((visibility("default")))

enum { most_bytes = 1 << 18, most_arguments = 4096 };

/* sysdeps of glibc's csu/libc-start.c */
typedef int main_function(int, char **, char **);
typedef int start_function(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

PUBLIC int __libc_start_main(main_function *program, int argc, char **argv, void (*init)(void), void (*fini)(void),
                             void (*rtld_fini)(void), void *stack_end);

static void say(const char *line, int length) {
  if (write(STDOUT_FILENO, line, (size_t)length) != length) _exit(1);
}

/* Fields of /proc/self/stat (proc_pid_stat(5)), counted from the state on, which is the third. */
enum { start_code = 23, end_code, start_stack, start_data = 42, end_data, start_brk, arg_start, arg_end, env_start, env_end };

static struct prctl_mm_map read_layout(void) {
  char text[4096];
  int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (got < 0) fail("read", "/proc/self/stat");
  close(fd);
  text[got] = '\0';
  unsigned long long field[env_end + 1] = {0};
  /* The name before may hold anything. */
  char *at = strrchr(text, ')');
  for (int i = 0; at != NULL && i <= env_end && (at = strchr(at + 1, ' ')) != NULL; i++) field[i] = strtoull(at, NULL, 10);
  return (struct prctl_mm_map){
      .start_code = field[start_code], .end_code = field[end_code], .start_stack = field[start_stack],
      .start_data = field[start_data], .end_data = field[end_data], .start_brk = field[start_brk],
      .arg_start = field[arg_start],   .arg_end = field[arg_end],   .env_start = field[env_start],
      .env_end = field[env_end],       .exe_fd = (__u32)-1,
  };
}

/*
 * What /proc shows as the arguments: they tell whose machine it is (proc_pid_cmdline(5)). All of the layout is set at once,
 * which needs no rights; a single field needs CAP_SYS_RESOURCE (prctl_set_mm in kernel/sys.c).
 */
static int show_arguments(struct prctl_mm_map layout, const char *from, const char *to) {
  layout.arg_start = (unsigned long)from;
  layout.arg_end = (unsigned long)to;
  layout.brk = (unsigned long)sbrk(0);
  return prctl(PR_SET_MM, PR_SET_MM_MAP, &layout, sizeof layout, 0);
}

static void *room_for(size_t bytes) {
  void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) fail("map", "memory");
  return room;
}

/* Runs in the process that was forked; `request` is its own. Returns the machine's arguments, and sets its environment. */
static char **become_machine(char *request, size_t length, struct prctl_mm_map layout) {
  char **arguments = room_for((most_arguments + 1) * sizeof *arguments);
  size_t count = 0;
  for (char *at = request; at < request + length; at += strlen(at) + 1) {
    errno = E2BIG;
    if (count == most_arguments) fail("read", "arguments");
    arguments[count++] = at;
  }
  struct options o = parse(arguments);
  if (setsid() < 0) fail("lead", "a session");
  if (show_arguments(layout, o.program[0], request + length) < 0) fail("show", "arguments");
  const char *slash = strrchr(o.program[0], '/');
  if (prctl(PR_SET_NAME, slash == NULL ? o.program[0] : slash + 1, 0, 0, 0) < 0) fail("set", "name");
  open_as("/dev/null", O_RDONLY, STDIN_FILENO);
  open_as("/dev/null", O_WRONLY, STDOUT_FILENO);
  become_unprivileged(&o);
  unsetenv("UNI_ZYGOTE");
  for (int i = 0; i < o.env_count; i++)
    if (putenv(o.env[i]) != 0) fail("set", o.env[i]);
  return o.program;
}

static void reap(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    char line[64];
    say(line, snprintf(line, sizeof line, "ended %d %d\n", pid, WIFSIGNALED(status) ? WTERMSIG(status) : 0));
  }
}

static void read_whole(char *to, size_t length) {
  for (ssize_t got; length > 0; to += got, length -= (size_t)got)
    if ((got = read(STDIN_FILENO, to, length)) <= 0) _exit(got < 0);
}

/* Bytes of the next request. Ends with the input. */
static size_t read_request(char *request) {
  char digits[8];
  for (size_t i = 0; i < sizeof digits; i++) {
    read_whole(&digits[i], 1);
    if (digits[i] != '\n') continue;
    digits[i] = '\0';
    size_t length = number(digits);
    errno = EMSGSIZE;
    if (length == 0 || length > most_bytes) fail("read request of", digits);
    read_whole(request, length);
    if (request[length - 1] != '\0') fail("read request of", digits);
    return length;
  }
  errno = EMSGSIZE;
  fail("read", "request");
}

/* Returns in each process that was forked, and only there. */
static char **serve(char **argv) {
  sigset_t children, before;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, &before);
  int ended = signalfd(-1, &children, SFD_CLOEXEC);
  if (ended < 0) fail("watch", "children");
  /* Refused now if it would be refused later: then nobody counts on us. */
  struct prctl_mm_map layout = read_layout();
  if (show_arguments(layout, argv[0], argv[0] + strlen(argv[0]) + 1) < 0) fail("show", "arguments");
  prctl(PR_SET_NAME, argv[0], 0, 0, 0);
  char *request = room_for(most_bytes);
  say("ready\n", 6);
  struct pollfd wait[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = ended, .events = POLLIN}};
  for (;;) {
    if (poll(wait, 2, -1) < 0) fail("wait for", "requests");
    struct signalfd_siginfo info;
    if (wait[1].revents != 0 && read(ended, &info, sizeof info) > 0) reap();
    if (wait[0].revents == 0) continue;
    size_t length = read_request(request);
    pid_t pid = fork();
    if (pid < 0) fail("fork", "a machine");
    if (pid == 0) {
      sigprocmask(SIG_SETMASK, &before, NULL);
      return become_machine(request, length, layout);
    }
    char line[32];
    say(line, snprintf(line, sizeof line, "started %d\n", pid));
  }
}

/* The first thing of a program that runs after its libraries are linked and initialized (ld.so(8)). */
int __libc_start_main(main_function *program, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end) {
  start_function *start = (start_function *)dlsym(RTLD_NEXT, "__libc_start_main");
  const char *name = getenv("UNI_ZYGOTE");
  if (name != NULL) {
    /* The interpreter of a script that starts QEMU has another name: what it does with its arguments is not ours to know. */
    errno = ENOEXEC;
    if (argc != 1 || strcmp(argv[0], name) != 0) fail("fork", argv[0]);
    argv = serve(argv);
    for (argc = 0; argv[argc] != NULL;) argc++;
  }
  return start(program, argc, argv, init, fini, rtld_fini, stack_end);
}
