/** A sleeper of the fake driver: the same files' worth of checks, with the world's memory in place of a delta. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { MachineShape, SnapshotHealth } from "../port.ts";

interface Meta {
  readonly shape: MachineShape;
  readonly sha256: string;
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

export function writeFakeSnapshot(directory: string, shape: MachineShape, memory: string): number {
  for (const name of readdirSync(dirname(directory))) {
    if (!name.startsWith(`${basename(directory)}.aside-`)) continue;
    rmSync(join(dirname(directory), name), { recursive: true });
  }
  const aside = `${directory}.aside-${randomBytes(3).toString("hex")}`;
  mkdirSync(aside);
  const meta = JSON.stringify({ shape, sha256: sha256(memory) } satisfies Meta);
  writeFileSync(join(aside, "delta"), memory);
  writeFileSync(join(aside, "meta.json"), meta);
  rmSync(directory, { recursive: true, force: true });
  renameSync(aside, directory);
  return memory.length + meta.length;
}

export function checkFakeSnapshot(directory: string): SnapshotHealth {
  if (!existsSync(directory)) return "missing";
  try {
    const { sha256: wanted } = readMeta(directory);
    return sha256(readFakeMemory(directory)) === wanted ? "good" : "corrupt";
  } catch {
    return "corrupt";
  }
}

export const readFakeMemory = (directory: string): string => readFileSync(join(directory, "delta"), "utf8");

export const shapeOfFakeSnapshot = (directory: string): MachineShape => readMeta(directory).shape;

const readMeta = (directory: string): Meta =>
  JSON.parse(readFileSync(join(directory, "meta.json"), "utf8")) as Meta;
