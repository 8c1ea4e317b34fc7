import { readFile } from "node:fs/promises";

export interface HostMemory {
  readonly totalKb: number;
  /** What programs could still get without swapping, by the kernel's own estimate. */
  readonly availableKb: number;
}

/** /proc/meminfo, proc_meminfo(5). */
export async function readHostMemory(): Promise<HostMemory> {
  const text = await readFile("/proc/meminfo", "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0);
  return { totalKb: field("MemTotal"), availableKb: field("MemAvailable") };
}
