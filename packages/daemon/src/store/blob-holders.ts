/**
 * Who may have a blob's bytes without bringing them: those who brought them before, and those whom they were given to. A manifest's
 * own digest is one of them, so who holds all that an image is made of has the image.
 */
import type { AccountId, Digest } from "@uni/contract/ids";
import { sql } from "kysely";
import { withoutSync } from "./node-sqlite-dialect.ts";
import type { Database } from "./open.ts";
import { above } from "./repositories.ts";

export const everybody = "*";
export type Holder = AccountId | typeof everybody;

/** Names that keep what a holder has: those below these, or those without a slash. */
export type NameScope = { readonly prefixes: readonly string[] } | "plain" | "none";

/** Fits the port of the images room. */
export function createBlobHolders(db: Database) {
  return {
    add: (holders: readonly Holder[], digests: readonly Digest[], now: number) =>
      addHolders(db, { holders, digests, now }),
    addBelow: (holders: readonly Holder[], top: Digest, from: AddBelow) => addBelow(db, holders, top, from),
    holds: (any: readonly Holder[], digest: Digest) => holds(db, any, digest),
    imagesOf: (any: readonly Holder[]) => imagesOf(db, any),
    targetsOf: (any: readonly Holder[]) => targetsOf(db, any),
    of: (digest: Digest) => holdersOf(db, digest),
    remove: (holder: Holder, digest: Digest, scope: NameScope) => removeHolder(db, holder, { digest, scope }),
  };
}

interface AddBelow {
  /** Only what one of these holds; undefined: all. */
  readonly heldBy: readonly Holder[] | undefined;
  readonly now: number;
}

/** Not synced: who loses it in a power cut brings the bytes again; what counts on it is written after it, with a sync. */
async function addHolders(
  db: Database,
  {
    holders,
    digests,
    now,
  }: { readonly holders: readonly Holder[]; readonly digests: readonly Digest[]; readonly now: number },
): Promise<void> {
  const rows = holders.flatMap((holder) => digests.map((digest) => ({ digest, holder, since: now })));
  if (rows.length === 0) return;
  await withoutSync(db, (on) =>
    on
      .insertInto("blob_holders")
      .values(rows)
      .onConflict((conflict) => conflict.columns(["digest", "holder"]).doUpdateSet({ since: now }))
      .execute(),
  );
}

/** The document, and all of what it names, and so on. */
async function addBelow(
  db: Database,
  holders: readonly Holder[],
  top: Digest,
  { heldBy, now }: AddBelow,
): Promise<void> {
  const which =
    heldBy === undefined
      ? sql`true`
      : sql`EXISTS (SELECT 1 FROM blob_holders WHERE digest = below.digest AND holder IN (${sql.join(heldBy)}))`;
  for (const holder of holders) {
    await sql`WITH RECURSIVE below(digest) AS (
        SELECT ${top} UNION SELECT manifest_names.digest FROM manifest_names JOIN below ON manifest = below.digest)
      INSERT INTO blob_holders SELECT digest, ${holder}, ${now} FROM below WHERE ${which}
      ON CONFLICT DO NOTHING`.execute(db);
  }
}

async function holds(db: Database, any: readonly Holder[], digest: Digest): Promise<boolean> {
  const row = await db
    .selectFrom("blob_holders")
    .select("holder")
    .where("digest", "=", digest)
    .where("holder", "in", any)
    .executeTakeFirst();
  return row !== undefined;
}

/** Images of which one of these holds each part. */
async function imagesOf(db: Database, any: readonly Holder[]): Promise<ReadonlySet<Digest>> {
  const { rows } = await sql<{ digest: Digest }>`SELECT digest FROM images WHERE NOT EXISTS (
    SELECT 1 FROM json_each(images.blobs) AS part WHERE NOT EXISTS (
      SELECT 1 FROM blob_holders WHERE digest = part.value AND holder IN (${sql.join(any)})))`.execute(db);
  return new Set(rows.map(({ digest }) => digest));
}

/** Documents that a reference means and one of these holds. */
async function targetsOf(db: Database, any: readonly Holder[]): Promise<ReadonlySet<Digest>> {
  const rows = await db
    .selectFrom("image_references")
    .innerJoin("blob_holders", "blob_holders.digest", "image_references.target")
    .select("target")
    .where("holder", "in", any)
    .distinct()
    .execute();
  return new Set(rows.map(({ target }) => target as Digest));
}

async function holdersOf(db: Database, digest: Digest): Promise<Holder[]> {
  const rows = await db.selectFrom("blob_holders").select("holder").where("digest", "=", digest).execute();
  return rows.map(({ holder }) => holder as Holder);
}

/** Unless a name of the scope leads to it. */
async function removeHolder(
  db: Database,
  holder: Holder,
  { digest, scope }: { readonly digest: Digest; readonly scope: NameScope },
): Promise<void> {
  await sql`WITH RECURSIVE ${above(digest)}, named(name, digest) AS (
      SELECT reference, target FROM image_references
      UNION ALL SELECT repository, digest FROM repository_contents WHERE kind = 'manifest')
    DELETE FROM blob_holders WHERE digest = ${digest} AND holder = ${holder} AND NOT EXISTS (
      SELECT 1 FROM named WHERE digest IN (SELECT digest FROM above) AND (${isIn(scope)}))`.execute(db);
}

function isIn(scope: NameScope) {
  if (scope === "none") return sql`false`;
  if (scope === "plain") return sql`instr(name, '/') = 0`;
  const each = scope.prefixes.map((prefix) => sql`substr(name, 1, ${prefix.length}) = ${prefix}`);
  return sql.join(each, sql` OR `);
}
