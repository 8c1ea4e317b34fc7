/**
 * What images there are and what they are called. A row is written when everything it names lies in the blob store, so
 * whatever no row names is garbage.
 */
import type { Digest } from "@uni/contract/ids";
import type { ImageRow } from "../store/images.ts";

export interface Catalogue {
  /** Oldest first. */
  list(): Promise<readonly ImageRow[]>;
  /** Inserts the image unless it is there, and makes the references point at it, wherever they pointed before. */
  put(row: Omit<ImageRow, "references">, references: readonly string[]): Promise<void>;
  removeReference(reference: string): Promise<void>;
  /** With all its references. */
  delete(digest: Digest): Promise<void>;
}

/** For tests of other rooms. */
export function memoryCatalogue(): Catalogue {
  const rows = new Map<Digest, Omit<ImageRow, "references">>();
  const references = new Map<string, Digest>();
  return {
    async list() {
      const named = [...rows.values()].map((row) => ({
        ...row,
        references: [...references].flatMap(([name, digest]) => (digest === row.digest ? [name] : [])).sort(),
      }));
      return named.sort((a, b) => a.createdAt - b.createdAt || (a.digest < b.digest ? -1 : 1));
    },
    async put(row, names) {
      const { digest } = row;
      if (!rows.has(digest)) rows.set(digest, { ...row });
      for (const name of names) references.set(name, digest);
    },
    async removeReference(reference) {
      references.delete(reference);
    },
    async delete(digest) {
      for (const [name, target] of references) if (target === digest) references.delete(name);
      rows.delete(digest);
    },
  };
}
