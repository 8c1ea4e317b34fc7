import type { Digest } from "@uni/contract/ids";
import type { Selectable, Transaction } from "kysely";
import type { ImagesTables } from "./images-schema.ts";
import type { Database } from "./open.ts";
import type { Tables } from "./schema.ts";

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

export interface ReferenceRow {
  readonly reference: string;
  /** The document that the name means. */
  readonly target: Digest;
  /** The image that it leads to on this machine; null where none was made of it. */
  readonly digest: Digest | null;
}

type StoredRow = Omit<ImageRow, "references">;

/** Fits the catalogue port of the images room. */
export function createImageCatalogue(db: Database) {
  return {
    list: () => listImages(db),
    put: (row: StoredRow, references: readonly string[], indexes: readonly Digest[] = []) =>
      putImage(db, row, { references, indexes }),
    references: () => listReferences(db),
    removeReference: (reference: string) => removeImageReference(db, reference),
    delete: (digest: Digest) => deleteImage(db, digest),
  };
}

/** Inserts the image unless it is there, and makes the references point at it, wherever they pointed before. */
async function putImage(
  db: Database,
  row: StoredRow,
  { references, indexes }: { readonly references: readonly string[]; readonly indexes: readonly Digest[] },
): Promise<void> {
  const { digest } = row;
  const [target = digest] = indexes;
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
    const blobs = row.blobs.filter((blob) => blob !== digest);
    await insertNames(tx, digest, blobs);
    for (const [at, index] of indexes.entries()) await insertNames(tx, index, [indexes[at + 1] ?? digest]);
    for (const reference of references) {
      await tx
        .insertInto("image_references")
        .values({ reference, target, digest })
        .onConflict((conflict) => conflict.column("reference").doUpdateSet({ target, digest }))
        .execute();
    }
  });
}

const listReferences = async (db: Database): Promise<ReferenceRow[]> =>
  (await db.selectFrom("image_references").selectAll().orderBy("reference").execute()).map(toReference);

export function toReference(row: Selectable<ImagesTables["image_references"]>): ReferenceRow {
  return {
    reference: row.reference,
    target: row.target as Digest,
    digest: row.digest as Digest | null,
  };
}

/** What of a manifest is in the store. */
export async function insertNames(
  tx: Transaction<Tables>,
  manifest: Digest,
  digests: readonly Digest[],
): Promise<void> {
  for (const digest of digests) {
    await tx
      .insertInto("manifest_names")
      .values({ manifest, digest })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
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
