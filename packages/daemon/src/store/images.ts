import type { Digest } from "@uni/contract/ids";
import type { Database } from "./open.ts";

export interface ImageRow {
  readonly digest: Digest;
  /** Sorted. */
  readonly references: readonly string[];
  readonly createdAt: number;
  readonly sizeBytes: number;
  /** Key of the EROFS root. */
  readonly root: string;
  /** JSON. */
  readonly config: string;
  /** Digests of the manifest, the config and the layers. */
  readonly blobs: readonly Digest[];
  /** Interpreter and libraries that the entry point needs and the image lacks. */
  readonly missing: readonly string[];
}

type StoredRow = Omit<ImageRow, "references">;

/** Fits the catalogue port of the images room. */
export function createImageCatalogue(db: Database) {
  return {
    list: () => listImages(db),
    put: (row: StoredRow, references: readonly string[]) => putImage(db, row, references),
    removeReference: (reference: string) => removeImageReference(db, reference),
    delete: (digest: Digest) => deleteImage(db, digest),
  };
}

/** Inserts the image unless it is there, and makes the references point at it, wherever they pointed before. */
async function putImage(db: Database, row: StoredRow, references: readonly string[]): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx
      .insertInto("images")
      .values({
        digest: row.digest,
        created_at: row.createdAt,
        size_bytes: row.sizeBytes,
        root: row.root,
        config: row.config,
        blobs: JSON.stringify(row.blobs),
        missing: JSON.stringify(row.missing),
      })
      .onConflict((conflict) => conflict.column("digest").doNothing())
      .execute();
    for (const reference of references) {
      await tx
        .insertInto("image_references")
        .values({ reference, digest: row.digest })
        .onConflict((conflict) => conflict.column("reference").doUpdateSet({ digest: row.digest }))
        .execute();
    }
  });
}

/** Oldest first. */
async function listImages(db: Database): Promise<ImageRow[]> {
  return db.transaction().execute(async (tx) => {
    const rows = await tx.selectFrom("images").selectAll().orderBy("created_at").orderBy("digest").execute();
    const references = await tx.selectFrom("image_references").selectAll().orderBy("reference").execute();
    const byDigest = Map.groupBy(references, ({ digest }) => digest);
    return rows.map((row) => ({
      digest: row.digest as Digest,
      references: (byDigest.get(row.digest) ?? []).map(({ reference }) => reference),
      createdAt: row.created_at,
      sizeBytes: row.size_bytes,
      root: row.root,
      config: row.config,
      blobs: JSON.parse(row.blobs) as Digest[],
      missing: JSON.parse(row.missing) as string[],
    }));
  });
}

async function removeImageReference(db: Database, reference: string): Promise<void> {
  await db.deleteFrom("image_references").where("reference", "=", reference).execute();
}

/** With all its references. */
async function deleteImage(db: Database, digest: Digest): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom("image_references").where("digest", "=", digest).execute();
    await tx.deleteFrom("images").where("digest", "=", digest).execute();
  });
}
