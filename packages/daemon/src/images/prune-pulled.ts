/**
 * Makes room on a disk that is short of it: images that every name of theirs was pulled for can be had again, and go when
 * nobody has used them for long, those longest unused first. What was built, loaded, pushed or tagged here stays.
 */
import type { ImageRow } from "../store/images.ts";
import type { PulledReference } from "../store/pulled-references.ts";
import type { PrunePulled } from "./port.ts";
import { removeImage } from "./remove-image.ts";
import type { Room } from "./room.ts";

export interface PulledReferences {
  list(): Promise<readonly PulledReference[]>;
  /** Each in place of what was known of the reference. */
  note(rows: readonly PulledReference[]): Promise<void>;
  forget(references: readonly string[]): Promise<void>;
}

/** The last use is noted no oftener. */
const exactToMs = 3_600_000;

/** Returns the references that went. To be called now and then: it also notes what is in use. */
export async function prunePulled(room: Room, how: PrunePulled): Promise<readonly string[]> {
  const now = room.clock.now();
  const rows = await room.catalogue.list();
  const pulled = await room.pulled.list();
  const digestOf = new Map(rows.flatMap((row) => row.references.map((name) => [name, row.digest] as const)));
  const current = pulled.filter(({ reference, digest }) => digestOf.get(reference) === digest);
  const gone = pulled.filter((each) => !current.includes(each));
  if (gone.length > 0) await room.pulled.forget(gone.map(({ reference }) => reference));
  const stale = current.filter(({ usedAt }) => now - usedAt > exactToMs);
  const used = stale.filter(({ digest }) => how.inUse(digest).length > 0);
  if (used.length > 0) await room.pulled.note(used.map((each) => ({ ...each, usedAt: now })));

  const removed: string[] = [];
  for (const { row, usedAt } of candidates(rows, current)) {
    if (usedAt > now - how.unusedForMs || how.inUse(row.digest).length > 0) continue;
    if (!(await how.isShortOfDisk())) break;
    removed.push(...(await removeImage(room, row.digest, how.inUse)).removed);
  }
  if (removed.length > 0)
    room.log.info({ removed }, "the disk is short: pulled images that nobody uses went");
  return removed;
}

/** Longest unused first. */
function candidates(rows: readonly ImageRow[], pulled: readonly PulledReference[]) {
  const usedAt = new Map(pulled.map((each) => [each.reference, each.usedAt]));
  return rows
    .filter(({ references }) => references.length > 0 && references.every((name) => usedAt.has(name)))
    .map((row) => ({ row, usedAt: Math.max(...row.references.map((name) => usedAt.get(name) ?? 0)) }))
    .sort((a, b) => a.usedAt - b.usedAt);
}
