import { type RunOptions, type RunResult, run } from "./process.ts";

/**
 * Runs a program in process and mount namespaces of its own, so that everything it starts ends with it, and nothing it
 * mounts stays: when it ends, when it is aborted, and when this daemon is killed (PR_SET_PDEATHSIG; unshare passes its
 * own end on to the namespace's first process, and the kernel ends a namespace with that process).
 */
export function runContained(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const namespaces = ["--pid", "--fork", "--kill-child=KILL", "--mount-proc"];
  const contained = ["--pdeathsig", "KILL", "unshare", ...namespaces, command, ...args];
  return run("setpriv", contained, { ...options, ownSession: true });
}
