/** The kernel's tracked connections, through conntrack(8). Each pass over them costs some 10 ms, however few there are. */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
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
  // Its name goes before anything is awaited, so that a daemon that is killed leaves none; proc(5) leads to it all the same.
  const name = join(tmpdir(), `uni-conntrack-${randomBytes(8).toString("hex")}`);
  const file = openSync(name, "wx+", 0o600);
  try {
    unlinkSync(name);
    writeSync(file, `${filters.map((filter) => `-D ${filter}`).join("\n")}\n`);
    const path = `/proc/${process.pid}/fd/${file}`;
    await runOk("conntrack", ["-R", path], { timeoutMs, keepBytes: 4096 });
  } finally {
    closeSync(file);
  }
}
