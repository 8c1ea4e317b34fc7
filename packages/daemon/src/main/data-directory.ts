import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { systemClock } from "../base/clock.ts";
import { withFileLock } from "../host/file-lock.ts";
import { ensureDirectory, readTextIfExists, writeFileAtomic } from "../host/files.ts";
import { identify, isAlive } from "../host/process-identity.ts";
import { directoriesBelow } from "../operations/directories.ts";

/**
 * Makes the directories, and refuses a data directory that another daemon uses. VMMs run as users of their own and pass
 * through the upper directories, which are therefore searchable by all and readable by none but root.
 */
export async function claimDataDirectory(dataDirectory: string): Promise<void> {
  await ensureDirectory(dataDirectory, 0o711).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === "EEXIST" ? "it is no directory" : cause.message;
    throw new UniError("host_unfit", `use data directory ${dataDirectory}: ${reason}`, {
      hint: "Choose another one with --data-dir.",
      cause,
    });
  });
  await requireSearchable(dataDirectory);
  const { instances, machines } = directoriesBelow(dataDirectory);
  await ensureDirectory(instances, 0o711);
  await ensureDirectory(machines, 0o711);
  // Two daemons that start at the same moment must not both find nobody.
  const options = { clock: systemClock, signal: new AbortController().signal };
  await withFileLock(join(dataDirectory, "claim.lock"), options, () => claim(dataDirectory));
}

async function claim(dataDirectory: string): Promise<void> {
  const path = join(dataDirectory, "unid.pid");
  const [pid = "", startTicks = ""] = ((await readTextIfExists(path)) ?? "").trim().split(" ");
  if (Number(pid) !== process.pid && isAlive({ pid: Number(pid), startTicks })) {
    throw new UniError("in_use", `use data directory ${dataDirectory}: unid with process id ${pid} has it`, {
      hint: "Stop that daemon, or give this one its own --data-dir.",
    });
  }
  const self = identify(process.pid);
  await writeFileAtomic(path, `${self?.pid} ${self?.startTicks}\n`, 0o644);
}

async function requireSearchable(dataDirectory: string): Promise<void> {
  for (let path = dirname(dataDirectory); path !== dirname(path); path = dirname(path)) {
    if (((await stat(path)).mode & constants.S_IXOTH) !== 0) continue;
    throw new UniError(
      "host_unfit",
      `use data directory ${dataDirectory}: others may not pass through ${path}`,
      {
        hint: `Machines run as users of their own: chmod o+x ${path}, or choose another --data-dir.`,
      },
    );
  }
}

/** Bytes must be writable: a full or read-only file system is told at once, not at the first instance. */
export async function requireWritable(dataDirectory: string): Promise<void> {
  const probe = await open(join(dataDirectory, ".write-probe"), "w", 0o600);
  await probe.close();
}
