/*
 * Becomes the VMM without privileges: `launch OPTION... -- PROGRAM ARGUMENT...`, started by root. zygote.c takes the same.
 *
 *   --uid N            user and group of the program, no supplementary groups
 *   --group N          one supplementary group (the one of /dev/kvm)
 *   --log PATH         made anew by root; stderr of the program. Default: ours
 *   --directory PATH   where the program works. Default: where we do
 *   --input PATH       opened for reading by root, handed to the program as descriptor 3; the next ones as 4 to 9
 *   --tap NAME         a TAP device that belongs to the user, attached and handed to the program as descriptor 10
 *   --env NAME=VALUE   added to the program's environment
 *   --die-with-parent  the kernel kills the program when the process that started us ends
 *
 * Exit status 126 and a line on stderr if any step fails; then nothing was started.
 */
#include "unprivileged.h"

#include <signal.h>

int main(int argc, char **argv) {
  if (argc < 1) return 126;
  pid_t parent = getppid();
  struct options o = parse(argv + 1);
  become_unprivileged(&o);
  if (o.die_with_parent) {
    /* After the change of user, which resets it (prctl(2)); a parent that ended before is seen by its id. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) fail("tie", "to parent");
    if (getppid() != parent) return 126;
  }
  for (int i = 0; i < o.env_count; i++)
    if (putenv(o.env[i]) != 0) fail("set", o.env[i]);
  execvp(o.program[0], o.program);
  fail("start", o.program[0]);
}
