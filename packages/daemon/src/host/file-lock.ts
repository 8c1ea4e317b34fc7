import { randomBytes } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import { identify, isAlive, type ProcessIdentity } from "./process-identity.ts";

export interface FileLockOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called once when another process holds the lock. */
  readonly onWait?: (holder: ProcessIdentity) => void;
}

const pollMs = 200;

/**
 * Runs the task while this process holds the lock file. A lock whose holder died is taken over. It keeps two processes
 * from doing the same long work; what they write must be safe without it (aside and renamed).
 */
export async function withFileLock<T>(
  path: string,
  options: FileLockOptions,
  task: () => Promise<T>,
): Promise<T> {
  let told = false;
  while (!(await tryLock(path))) {
    options.signal.throwIfAborted();
    const text = await readHolder(path);
    const holder = text === undefined ? undefined : parseHolder(text);
    if (text !== undefined && !(holder && isAlive(holder))) await takeOver(path, text);
    else {
      if (holder && !told) options.onWait?.(holder);
      told = true;
      await options.clock.sleep(pollMs, options.signal);
    }
  }
  try {
    return await task();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "wx", 0o644);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  try {
    await file.writeFile(`${JSON.stringify(identify(process.pid))}\n`);
  } finally {
    await file.close();
  }
  return true;
}

/** Undefined while it is free, or just being written. */
async function readHolder(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, "utf8")) || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function parseHolder(text: string): ProcessIdentity | undefined {
  try {
    const { pid, startTicks } = JSON.parse(text) as Partial<ProcessIdentity>;
    return typeof pid === "number" && typeof startTicks === "string" ? { pid, startTicks } : undefined;
  } catch {
    return undefined;
  }
}

/** Moves the stale lock away. Another process may have done so since we read it: then the live lock goes back. */
async function takeOver(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString("hex")}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if ((await readFile(aside, "utf8")) === stale) await rm(aside, { force: true });
  else await rename(aside, path);
}
