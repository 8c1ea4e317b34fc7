import type { ImageRow } from "../../store/images.ts";
import { holdImage } from "../hold-image.ts";
import type { ArchiveFormat } from "../port.ts";
import { canonicalIfAny } from "../reference.ts";
import type { Room } from "../room.ts";
import { readStoredManifest, type StoredManifest } from "../stored-manifest.ts";
import { writeTar } from "../tar-writer.ts";
import { dockerMembers } from "./docker-members.ts";
import { ociMembers } from "./oci-members.ts";

export interface SaveRequest {
  readonly references: readonly string[];
  readonly format: ArchiveFormat;
  readonly signal: AbortSignal;
}

export interface SavedImage extends StoredManifest {
  readonly row: ImageRow;
  /** The names it was asked for by. */
  readonly names: readonly string[];
}

/** All are found before the first byte; what is saved stays until the last one is read, or the reader leaves. */
export async function* saveImages(
  room: Room,
  { references, format, signal }: SaveRequest,
): AsyncGenerator<Uint8Array> {
  await using held = new AsyncDisposableStack();
  const images = new Map<string, SavedImage>();
  for (const reference of new Set(references)) {
    const { row } = held.use(await holdImage(room, reference));
    const before = images.get(row.digest) ?? { row, names: [], ...(await readStoredManifest(room, row)) };
    images.set(row.digest, { ...before, names: [...before.names, ...namesOf(row, reference)] });
  }
  const members = format === "docker" ? dockerMembers : ociMembers;
  yield* writeTar(members(room, [...images.values()], signal));
}

/** One that was asked for by its digest has no name in the archive. */
function namesOf({ references }: ImageRow, text: string): readonly string[] {
  return references.filter((reference) => reference === canonicalIfAny(text));
}
