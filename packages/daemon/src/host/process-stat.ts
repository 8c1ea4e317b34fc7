import { readFileSync } from "node:fs";

/** Fields of proc_pid_stat(5) from the third, the state, on; undefined when there is no such process. */
export function readProcessStat(pid: number): readonly string[] | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The command name, in parentheses, may hold blanks and parentheses: fields count from the last one.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
