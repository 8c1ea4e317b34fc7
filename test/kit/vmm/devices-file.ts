/** Where a capture's helper has QEMU's devices written to: a file in its memory, which has no name of its own. */
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { findProcesses } from "../../../packages/daemon/src/host/find-process.ts";

/** Of the machine whose sockets are in `run`; undefined while nobody captures it. */
export function devicesFile(run: string): string | undefined {
  for (const { pid } of findProcesses(run)) {
    const descriptors = `/proc/${pid}/fd`;
    try {
      const found = readdirSync(descriptors).find((fd) => isDevices(join(descriptors, fd)));
      if (found !== undefined) return join(descriptors, found);
    } catch {
      // It has just ended, or closed that one.
    }
  }
  return undefined;
}

const isDevices = (path: string): boolean => readlinkSync(path).startsWith("/memfd:devices");
