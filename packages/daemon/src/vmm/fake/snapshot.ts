/**
 * Snapshots of the fake driver: the same files' worth of checks, with the world's memory in place of a delta. What a
 * capture stands on is needed, as of a real one, and not read.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import type { MachineShape, SnapshotFacts, SnapshotHealth } from "../port.ts";

interface Meta {
  readonly shape: MachineShape;
  readonly sha256: string;
  readonly disk?: string;
  /** Relative, so that both may be moved. */
  readonly standsOn?: string;
}

export interface FakeSnapshot extends Partial<SnapshotFacts> {
  readonly shape: MachineShape;
  readonly memory: string;
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** In place of an earlier one. */
export function writeFakeSnapshot(directory: string, snapshot: FakeSnapshot): number {
  const { shape, memory, disk, standsOn } = snapshot;
  for (const name of readdirSync(dirname(directory))) {
    if (!name.startsWith(`${basename(directory)}.aside-`)) continue;
    rmSync(join(dirname(directory), name), { recursive: true });
  }
  const aside = `${directory}.aside-${randomBytes(3).toString("hex")}`;
  mkdirSync(aside);
  const described: Meta = {
    shape,
    sha256: sha256(memory),
    ...(disk !== undefined && { disk }),
    ...(standsOn !== undefined && { standsOn: relative(directory, standsOn) }),
  };
  const meta = JSON.stringify(described);
  writeFileSync(join(aside, "delta"), memory);
  writeFileSync(join(aside, "meta.json"), meta);
  rmSync(directory, { recursive: true, force: true });
  renameSync(aside, directory);
  return memory.length + meta.length;
}

export function checkFakeSnapshot(directory: string): SnapshotHealth {
  if (!existsSync(directory)) return { state: "missing" };
  try {
    const standsOn = fakeSnapshotFacts(directory)?.standsOn;
    if (standsOn !== undefined && checkFakeSnapshot(standsOn).state !== "good") {
      return { state: "corrupt", reason: "the snapshot that it stands on is missing or corrupt" };
    }
    if (sha256(readFakeMemory(directory)) === readMeta(directory).sha256) return { state: "good" };
  } catch {}
  return { state: "corrupt", reason: "its files are damaged" };
}

export function fakeSnapshotFacts(directory: string): SnapshotFacts | undefined {
  try {
    const { disk, standsOn } = readMeta(directory);
    return { disk, standsOn: standsOn === undefined ? undefined : join(directory, standsOn) };
  } catch {
    return undefined;
  }
}

export const readFakeMemory = (directory: string): string => readFileSync(join(directory, "delta"), "utf8");

export const shapeOfFakeSnapshot = (directory: string): MachineShape => readMeta(directory).shape;

const readMeta = (directory: string): Meta =>
  JSON.parse(readFileSync(join(directory, "meta.json"), "utf8")) as Meta;
