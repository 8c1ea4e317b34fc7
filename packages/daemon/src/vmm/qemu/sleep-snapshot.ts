/**
 * The directory of a sleeper or a capture: `delta` (the pages written since what it stands on, one after the other),
 * `index` (where they belong, see native/vmm/delta-index.h), `state` (devices) and `meta.json`, which says what the
 * others must be. See snapshot-layers.ts for what it stands on.
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Clock } from "../../base/clock.ts";
import type { MachineShape } from "../port.ts";
import type { RealAccelerator } from "./architecture.ts";
import type { BootSnapshotId } from "./boot-snapshot.ts";

/** Memory and devices fit one build of QEMU, one accelerator, one processor and one set of devices. */
export interface MadeBy {
  readonly qemu: string;
  readonly accelerator: RealAccelerator;
  /** Digest of model and features. */
  readonly cpu: string;
  readonly devices: number;
}

export interface SleepSnapshotMeta {
  readonly base: BootSnapshotId;
  readonly shape: MachineShape;
  readonly madeBy: MadeBy;
  /** The machine's address, as it is in `state`. */
  readonly mac: string;
  /** Of the ROM disks in `state`. */
  readonly romSlots: readonly number[];
  /** Of a capture. */
  readonly disk?: string;
  /** The capture between the boot snapshot and this one, as a path from this directory: both may be moved together. */
  readonly standsOn?: string;
  readonly stateSha256: string;
  readonly indexSha256: string;
  readonly deltaBytes: number;
  /** Holes count as zeros. */
  readonly deltaCrc32: number;
}

export interface SleepSnapshotFiles {
  readonly delta: string;
  readonly index: string;
  readonly state: string;
  readonly meta: string;
}

export const sleepSnapshotFiles = (directory: string): SleepSnapshotFiles => ({
  delta: join(directory, "delta"),
  index: join(directory, "index"),
  state: join(directory, "state"),
  meta: join(directory, "meta.json"),
});

const sha256Of = (bytes: string | Buffer): string => createHash("sha256").update(bytes).digest("hex");

export const sha256OfFile = (path: string): string => sha256Of(readFileSync(path));

/** Work that reads a whole delta, in pieces, so that its caller chooses whether others may run in between. */
export type Pieces<T> = Generator<undefined, T>;

const pieceBytes = 256 << 10;
const bytesInOneGo = 4 << 20;

export function* crc32OfFile(path: string): Pieces<number> {
  const file = openSync(path, "r");
  try {
    // Small, so that it stays in the processor's cache and few new pages are touched.
    const piece = Buffer.allocUnsafe(pieceBytes);
    let crc = 0;
    for (let total = 0; ; ) {
      const length = readSync(file, piece);
      if (length === 0) return crc;
      crc = crc32(piece.subarray(0, length), crc);
      total += length;
      if (total % bytesInOneGo === 0) yield;
    }
  } finally {
    closeSync(file);
  }
}

/** The snapshot's meta, "missing", or "corrupt" if it cannot be read. */
export function readSleepMeta(directory: string): SleepSnapshotMeta | "missing" | "corrupt" {
  if (!existsSync(directory)) return "missing";
  try {
    const { sha256, ...meta } = JSON.parse(readFileSync(sleepSnapshotFiles(directory).meta, "utf8"));
    return sha256 === sha256Of(JSON.stringify(meta)) ? (meta as SleepSnapshotMeta) : "corrupt";
  } catch {
    return "corrupt";
  }
}

export const sleepMetaText = (meta: SleepSnapshotMeta): string =>
  `${JSON.stringify({ ...meta, sha256: sha256Of(JSON.stringify(meta)) })}\n`;

/** As `readSleepMeta`, and "corrupt" if another file is not what it says; of the delta only its size is looked at. */
export function readSleepFiles(directory: string): ReturnType<typeof readSleepMeta> {
  const meta = readSleepMeta(directory);
  if (typeof meta === "string") return meta;
  try {
    const files = sleepSnapshotFiles(directory);
    const good =
      statSync(files.delta).size === meta.deltaBytes &&
      sha256OfFile(files.state) === meta.stateSha256 &&
      sha256OfFile(files.index) === meta.indexSha256;
    return good ? meta : "corrupt";
  } catch {
    return "corrupt";
  }
}

/** Reads all of it. */
export function* isDeltaWhole(directory: string, { deltaCrc32 }: SleepSnapshotMeta): Pieces<boolean> {
  try {
    return (yield* crc32OfFile(sleepSnapshotFiles(directory).delta)) === deltaCrc32;
  } catch {
    return false;
  }
}

export function inOneGo<T>(pieces: Pieces<T>): T {
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
  }
}

export async function letOthersRun<T>(pieces: Pieces<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
    await clock.sleep(0, signal);
  }
}
