/** Processes of the daemon under test, found by what is on their command lines; in namespaces of one's own there are no others. */
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";

/** Program `name`, with `argument` somewhere among its arguments. */
export function pidsOf(name: string, argument = ""): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      const words = wordsOf(pid);
      const isNamed = basename(words[0] ?? "").startsWith(name);
      return isNamed && words.some((word) => word.includes(argument));
    });
}

function wordsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return []; // It has just ended.
  }
}

/** Machine monitors: of one instance, or of all. */
export const machinesOf = (uuid = ""): number[] => pidsOf("qemu-system", uuid);

/** One may end meanwhile by itself: the edge's workers do with their master. */
export function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
