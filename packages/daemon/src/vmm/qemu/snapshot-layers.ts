/**
 * What a snapshot stands on, besides the boot snapshot: a capture of a machine that was made of a capture holds what that
 * machine wrote, and names the capture; a sleeper likewise. Two captures deep at most (decision 0016).
 */
import { type Stats, statSync } from "node:fs";
import { join } from "node:path";
import type { SnapshotFacts, SnapshotHealth } from "../port.ts";
import {
  isDeltaWhole,
  type MadeBy,
  type Pieces,
  readSleepFiles,
  readSleepMeta,
  type SleepSnapshotMeta,
  sleepSnapshotFiles,
} from "./sleep-snapshot.ts";

export interface SnapshotLayer {
  readonly directory: string;
  readonly meta: SleepSnapshotMeta;
}

export type BadHealth = Exclude<SnapshotHealth, { readonly state: "good" }> | { readonly state: "missing" };

const deepest = 2;
/** Captures that were written or read and found whole: they never change, and a template is resumed over and over. */
const mostRemembered = 1000;

export class WholeCaptures {
  readonly #stamps = new Map<string, string>();

  /** As `readSleepFiles`. */
  read(directory: string): ReturnType<typeof readSleepMeta> {
    return this.#isKnown(directory) ? readSleepMeta(directory) : readSleepFiles(directory);
  }

  /** Reads the whole delta, unless it is known. */
  *isWhole({ directory, meta }: SnapshotLayer): Pieces<boolean> {
    if (this.#isKnown(directory)) return true;
    const stamp = stampOf(directory);
    const isWhole = yield* isDeltaWhole(directory, meta);
    if (meta.disk !== undefined) this.#set(directory, isWhole ? stamp : undefined);
    return isWhole;
  }

  /** For whoever has just written it. */
  remember(directory: string): void {
    this.#set(directory, stampOf(directory));
  }

  #isKnown(directory: string): boolean {
    const known = this.#stamps.get(directory);
    return known !== undefined && known === stampOf(directory);
  }

  #set(directory: string, stamp: string | undefined): void {
    this.#stamps.delete(directory);
    if (stamp !== undefined) this.#stamps.set(directory, stamp);
    const [oldest] = this.#stamps.keys();
    if (this.#stamps.size > mostRemembered && oldest !== undefined) this.#stamps.delete(oldest);
  }
}

/** Changes with every change of a file's content, name or owner. */
function stampOf(directory: string): string | undefined {
  try {
    const stats = Object.values(sleepSnapshotFiles(directory)).map((path) => statSync(path));
    return stats.map(({ dev, ino, size, ctimeMs }: Stats) => [dev, ino, size, ctimeMs].join(" ")).join(", ");
  } catch {
    return undefined;
  }
}

/** The snapshot last, what it stands on before. Their deltas are not read: see `readDeltas`. */
export function readLayers(directory: string, whole: WholeCaptures): SnapshotLayer[] | BadHealth {
  const layers: SnapshotLayer[] = [];
  for (let next: string | undefined = directory; next !== undefined; ) {
    const meta: ReturnType<typeof readSleepMeta> = whole.read(next);
    const top = layers.at(-1)?.meta;
    if (typeof meta === "string" && top === undefined) return bad(meta, damaged);
    if (typeof meta === "string") return bad("corrupt", standsOnBad(meta));
    if (layers.length > deepest) return bad("corrupt", "it stands on too many others");
    if (top !== undefined && (meta.disk === undefined || !standTogether(meta, top))) {
      return bad("corrupt", "the snapshot that it stands on is another one");
    }
    layers.unshift({ directory: next, meta });
    next = meta.standsOn === undefined ? undefined : join(next, meta.standsOn);
  }
  return layers;
}

/** What is wrong with them, if anything is. The guest must not run before. */
export function* readDeltas(
  layers: readonly SnapshotLayer[],
  whole: WholeCaptures,
): Pieces<BadHealth | undefined> {
  for (const layer of layers) {
    if (yield* whole.isWhole(layer)) continue;
    return bad("corrupt", layer === layers.at(-1) ? damaged : standsOnBad("corrupt"));
  }
  return undefined;
}

const damaged = "its files are damaged";
const standsOnBad = (state: string) => `the snapshot that it stands on is ${state}`;

function bad(state: "missing" | "corrupt", reason: string): BadHealth {
  return state === "missing" ? { state } : { state, reason };
}

const standTogether = (one: SleepSnapshotMeta, other: SleepSnapshotMeta): boolean =>
  one.base.key === other.base.key && one.base.stateSha256 === other.base.stateSha256;

/** Why a snapshot that is whole cannot be resumed here; undefined if it can. */
export function whyUnfit({ madeBy }: SleepSnapshotMeta, here: MadeBy): string | undefined {
  if (madeBy.qemu !== here.qemu) return `it was made by QEMU ${madeBy.qemu}, and this is QEMU ${here.qemu}`;
  if (madeBy.accelerator !== here.accelerator) {
    return `it was made under ${madeBy.accelerator}, and machines run under ${here.accelerator} now`;
  }
  if (madeBy.cpu !== here.cpu) return "it was made on another processor";
  if (madeBy.devices !== here.devices)
    return "it was made by a version of Uni that gave its machines other devices";
  return undefined;
}

export function snapshotFacts(directory: string): SnapshotFacts | undefined {
  const meta = readSleepMeta(directory);
  if (typeof meta === "string") return undefined;
  const { disk, standsOn } = meta;
  return { disk, standsOn: standsOn === undefined ? undefined : join(directory, standsOn) };
}
