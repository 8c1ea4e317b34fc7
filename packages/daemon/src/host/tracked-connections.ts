/** The kernel's tracked connections, through conntrack(8). Each pass over them costs some 10 ms, however few there are. */
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runOk } from "./process.ts";

const timeoutMs = 20_000;

/** The senders, of either direction, for which `ask` is true; after address translation these are the real ends. */
export async function trackedSenders(ask: (address: string) => boolean): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  let rest = "";
  const onStdout = (chunk: Buffer) => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) for (const address of sendersIn(line)) if (ask(address)) found.add(address);
  };
  await runOk("conntrack", ["-L", "-f", "ipv4"], { timeoutMs, onStdout, keepBytes: 4096 });
  return found;
}

/** `src=` comes twice in a line: who opened the connection, and who answers. */
export const sendersIn = (line: string): readonly string[] =>
  [...line.matchAll(/\bsrc=(\S+)/g)].map(([, address]) => address ?? "");

/**
 * Deletes what matches any of the filters, in conntrack(8)'s words. `-R` does them all in one process and takes "nothing
 * matched" for success, which plain `-D` does not. It wants a file: as standard input it opens /dev/stdin, which the
 * kernel refuses for the socket that Node puts there.
 */
export async function deleteConnections(filters: readonly string[]): Promise<void> {
  if (filters.length === 0) return;
  const path = join(tmpdir(), `uni-conntrack-${randomBytes(8).toString("hex")}`);
  const text = `${filters.map((filter) => `-D ${filter}`).join("\n")}\n`;
  await writeFile(path, text, { mode: 0o600, flag: "wx" });
  try {
    await runOk("conntrack", ["-R", path], { timeoutMs, keepBytes: 4096 });
  } finally {
    await rm(path, { force: true });
  }
}
