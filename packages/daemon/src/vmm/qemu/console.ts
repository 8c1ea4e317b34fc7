import { readFileSync } from "node:fs";
import { writeRecord } from "../../host/write-record.ts";
import { consoleBytes } from "./command-line.ts";
import type { Qmp } from "./qmp.ts";

/**
 * The end of the guest's console. QEMU keeps it in a ring that reading empties, so what was read is kept in a file: a
 * later daemon sees it as well.
 */
export async function readConsole(path: string, qmp: Qmp | undefined): Promise<string> {
  const earlier = readIfThere(path);
  const fresh = qmp === undefined ? Buffer.alloc(0) : await readRing(qmp);
  const text = Buffer.concat([earlier, fresh]).subarray(-consoleBytes);
  if (fresh.length > 0) writeRecord(path, text);
  return text.toString("utf8");
}

async function readRing(qmp: Qmp): Promise<Buffer> {
  const answer = await qmp.execute("ringbuf-read", {
    device: "console",
    size: consoleBytes,
    format: "base64",
  });
  return Buffer.from(typeof answer === "string" ? answer : "", "base64");
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
