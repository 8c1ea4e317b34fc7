/**
 * What is in which repository of the registry. A reference `NAME:TAG` is tag TAG of repository NAME, so what was built or
 * loaded is in a repository too. In a repository are the manifests that its references lead to or that were pushed to it, what
 * these name, and blobs that came in and that no manifest names yet.
 */
import type { Digest } from "@uni/contract/ids";
import { type Selectable, sql, type Transaction } from "kysely";
import { insertNames, type ReferenceRow, toReference } from "./images.ts";
import type { ImagesTables } from "./images-schema.ts";
import { withoutSync } from "./node-sqlite-dialect.ts";
import type { Database } from "./open.ts";
import type { Tables } from "./schema.ts";

export interface ManifestRow {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** Empty: none. */
  readonly artifactType: string;
  readonly subject: Digest | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  /** Documents and blobs of it that are in the store: they can be had by whoever can have it. */
  readonly names: readonly Digest[];
}

export type ContentKind = "manifest" | "blob";

export interface ContentRow {
  readonly repository: string;
  readonly kind: ContentKind;
  readonly digest: Digest;
  readonly since: number;
}

/** Fits the repositories' catalogue of the images room. */
export function createRepositoryCatalogue(db: Database) {
  return {
    putDocument: (row: ManifestRow) => db.transaction().execute((tx) => insertDocument(tx, row)),
    putManifest: (put: ManifestPut) => putManifest(db, put),
    putBlob: (repository: string, digest: Digest, now: number) =>
      withoutSync(db, (on) => insertContent(on, { repository, kind: "blob", digest, since: now })),
    document: (digest: Digest) => findDocument(db, digest),
    isDocument: (digest: Digest) => isDocument(db, digest),
    namesIn: (manifest: Digest) => listNames(db, manifest),
    reference: (reference: string) => findReference(db, reference),
    contains: (repository: string, digest: Digest, kind: ContentKind) =>
      kind === "blob" ? containsBlob(db, repository, digest) : containsManifest(db, repository, digest),
    namedBy: (repository: string, digest: Digest) => namedBy(db, repository, digest),
    tags: (repository: string) => listTags(db, repository),
    referrers: (repository: string, page: ReferrersPage) => listReferrers(db, repository, page),
    holdsAny: (repository: string) => holdsAny(db, repository),
    names: () => listRepositories(db),
    contents: () => listContents(db),
    links: () => listLinks(db),
    remove: (repository: string, kind: ContentKind, digests: readonly Digest[]) =>
      removeContents(db, repository, { kind, digests }),
    settle: (target: Digest, outcome: { readonly digest: Digest } | { readonly failure: string }) =>
      settle(db, target, outcome),
    waiting: () => listWaiting(db),
    needed: (cutoff: number) => sweepRows(db, cutoff),
  };
}

export interface ReferrersPage {
  readonly subject: Digest;
  readonly artifactType: string | undefined;
  /** Begins after this digest. */
  readonly last: string;
  readonly count: number;
}

interface ManifestPut {
  readonly repository: string;
  /** Undefined: pushed by its digest alone. */
  readonly tag: string | undefined;
  readonly row: ManifestRow;
  readonly now: number;
}

async function putManifest(db: Database, { repository, tag, row, now }: ManifestPut): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await insertDocument(tx, row);
    await insertContent(tx, { repository, kind: "manifest", digest: row.digest, since: now });
    if (tag === undefined) return;
    const target = row.digest;
    const digest = await imageOf(tx, target);
    await tx
      .insertInto("image_references")
      .values({ reference: `${repository}:${tag}`, target, digest })
      .onConflict((conflict) => conflict.column("reference").doUpdateSet({ target, digest }))
      .execute();
  });
}

/** The image that was made of the target already. */
async function imageOf(tx: Transaction<Tables>, target: Digest): Promise<string | null> {
  const itself = await tx
    .selectFrom("images")
    .select("digest")
    .where("digest", "=", target)
    .executeTakeFirst();
  if (itself !== undefined) return itself.digest;
  const led = await tx
    .selectFrom("image_references")
    .select("digest")
    .where("target", "=", target)
    .where("digest", "is not", null)
    .executeTakeFirst();
  return led?.digest ?? null;
}

async function insertDocument(tx: Transaction<Tables>, row: ManifestRow): Promise<void> {
  await tx
    .insertInto("manifests")
    .values({
      digest: row.digest,
      media_type: row.mediaType,
      size_bytes: row.sizeBytes,
      artifact_type: row.artifactType,
      subject: row.subject ?? null,
      annotations: JSON.stringify(row.annotations),
      failure: null,
    })
    .onConflict((conflict) => conflict.column("digest").doNothing())
    .execute();
  await insertNames(tx, row.digest, row.names);
}

async function insertContent(on: Database, row: ContentRow): Promise<void> {
  await on
    .insertInto("repository_contents")
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(["repository", "kind", "digest"]).doUpdateSet({ since: row.since }),
    )
    .execute();
}

async function findDocument(db: Database, digest: Digest): Promise<ManifestRow | undefined> {
  const row = await db.selectFrom("manifests").selectAll().where("digest", "=", digest).executeTakeFirst();
  if (row === undefined) return undefined;
  return { ...toDocument(row), names: await listNames(db, digest) };
}

/** What of a manifest is in the store. */
async function listNames(db: Database, manifest: Digest): Promise<Digest[]> {
  const rows = await db
    .selectFrom("manifest_names")
    .select("digest")
    .where("manifest", "=", manifest)
    .execute();
  return rows.map(({ digest }) => digest as Digest);
}

async function isDocument(db: Database, digest: Digest): Promise<boolean> {
  const { rows } = await sql`SELECT 1 FROM ${documents} WHERE digest = ${digest} LIMIT 1`.execute(db);
  return rows.length > 0;
}

/** Pushed ones are written down, all others are images, or indexes that name what they lead to. */
const documents = sql`(SELECT digest FROM manifests UNION ALL SELECT digest FROM images
  UNION ALL SELECT manifest FROM manifest_names UNION ALL SELECT target FROM image_references)`;

function toDocument(row: Selectable<ImagesTables["manifests"]>): Omit<ManifestRow, "names"> {
  return {
    digest: row.digest as Digest,
    mediaType: row.media_type,
    sizeBytes: row.size_bytes,
    artifactType: row.artifact_type,
    subject: (row.subject ?? undefined) as Digest | undefined,
    annotations: JSON.parse(row.annotations) as Record<string, string>,
  };
}

async function findReference(db: Database, reference: string): Promise<ReferenceRow | undefined> {
  const row = await db
    .selectFrom("image_references")
    .selectAll()
    .where("reference", "=", reference)
    .executeTakeFirst();
  return row === undefined ? undefined : toReference(row);
}

/** All references of a repository lie between these two: what follows the name is ":", and ";" comes after it. */
const referencesOf = (repository: string) =>
  sql`reference > ${`${repository}:`} AND reference < ${`${repository};`}`;

/** The digest, and every document that names it, or names one that does. */
export const above = (digest: Digest) => sql`above(digest) AS (
  SELECT ${digest} UNION SELECT manifest FROM manifest_names JOIN above ON manifest_names.digest = above.digest)`;

const reached = (repository: string) => sql`
  SELECT digest FROM repository_contents
    WHERE repository = ${repository} AND kind = 'manifest' AND digest IN (SELECT digest FROM above)
  UNION ALL
  SELECT target FROM image_references WHERE target IN (SELECT digest FROM above) AND ${referencesOf(repository)}`;

async function containsBlob(db: Database, repository: string, digest: Digest): Promise<boolean> {
  const { rows } = await sql`WITH RECURSIVE ${above(digest)}
    SELECT digest FROM repository_contents WHERE repository = ${repository} AND digest = ${digest}
    UNION ALL ${reached(repository)} LIMIT 1`.execute(db);
  return rows.length > 0;
}

/** A layer is no manifest, whatever its bytes look like. */
async function containsManifest(db: Database, repository: string, digest: Digest): Promise<boolean> {
  const { rows } = await sql`WITH RECURSIVE ${above(digest)} SELECT 1 FROM (${reached(repository)})
    WHERE EXISTS (SELECT 1 FROM ${documents} WHERE digest = ${digest}) LIMIT 1`.execute(db);
  return rows.length > 0;
}

/** One of the repository's manifests that name the digest, itself not counted. */
async function namedBy(db: Database, repository: string, digest: Digest): Promise<Digest | undefined> {
  const { rows } = await sql<{ digest: Digest }>`WITH RECURSIVE ${above(digest)}
    SELECT digest FROM (${reached(repository)}) WHERE digest <> ${digest} LIMIT 1`.execute(db);
  return rows[0]?.digest;
}

async function listTags(db: Database, repository: string): Promise<string[]> {
  const { rows } = await sql<{ reference: string }>`SELECT reference FROM image_references
    WHERE ${referencesOf(repository)}`.execute(db);
  return rows.map(({ reference }) => reference.slice(repository.length + 1));
}

async function holdsAny(db: Database, repository: string): Promise<boolean> {
  const { rows } = await sql`SELECT 1 FROM repository_contents WHERE repository = ${repository}
    UNION ALL SELECT 1 FROM image_references WHERE ${referencesOf(repository)} LIMIT 1`.execute(db);
  return rows.length > 0;
}

async function listReferrers(
  db: Database,
  repository: string,
  { subject, artifactType, last, count }: ReferrersPage,
): Promise<Omit<ManifestRow, "names">[]> {
  const all = db
    .selectFrom("manifests")
    .innerJoin("repository_contents", "repository_contents.digest", "manifests.digest")
    .selectAll("manifests")
    .where("subject", "=", subject)
    .where("repository", "=", repository)
    .where("kind", "=", "manifest")
    .where("manifests.digest", ">", last as Digest)
    .orderBy("manifests.digest")
    .limit(count);
  const some = artifactType === undefined ? all : all.where("artifact_type", "=", artifactType);
  return (await some.execute()).map(toDocument);
}

/** Names of all repositories that hold anything. */
async function listRepositories(db: Database): Promise<string[]> {
  const contents = await db.selectFrom("repository_contents").select("repository").distinct().execute();
  const references = await db.selectFrom("image_references").select("reference").execute();
  const named = references.map(({ reference }) => reference.slice(0, reference.lastIndexOf(":")));
  return [...new Set([...contents.map(({ repository }) => repository), ...named])].sort();
}

const listContents = async (db: Database): Promise<ContentRow[]> =>
  (await db.selectFrom("repository_contents").selectAll().execute()) as ContentRow[];

/** What names what, and what is whose subject. */
async function listLinks(db: Database) {
  const names = await db.selectFrom("manifest_names").selectAll().execute();
  const subjects = await db
    .selectFrom("manifests")
    .select(["digest", "subject"])
    .where("subject", "is not", null)
    .execute();
  return {
    names: names as { readonly manifest: Digest; readonly digest: Digest }[],
    subjects: subjects as { readonly digest: Digest; readonly subject: Digest }[],
  };
}

/** A manifest takes the tags that mean it along. */
async function removeContents(
  db: Database,
  repository: string,
  { kind, digests }: { readonly kind: ContentKind; readonly digests: readonly Digest[] },
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    for (const digest of digests) {
      await tx
        .deleteFrom("repository_contents")
        .where("repository", "=", repository)
        .where("kind", "=", kind)
        .where("digest", "=", digest)
        .execute();
      if (kind !== "manifest") continue;
      await sql`DELETE FROM image_references WHERE target = ${digest} AND ${referencesOf(repository)}`.execute(
        tx,
      );
    }
  });
}

async function settle(
  db: Database,
  target: Digest,
  outcome: { readonly digest: Digest } | { readonly failure: string },
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const failure = "failure" in outcome ? outcome.failure : null;
    await tx.updateTable("manifests").set({ failure }).where("digest", "=", target).execute();
    if (!("digest" in outcome)) return;
    const { digest } = outcome;
    if (target !== digest) await insertNames(tx, target, [digest]);
    await tx.updateTable("image_references").set({ digest }).where("target", "=", target).execute();
  });
}

/** Targets of references of which no image was made, and nobody tried in vain. */
async function listWaiting(db: Database): Promise<Digest[]> {
  const rows = await db
    .selectFrom("image_references")
    .innerJoin("manifests", "manifests.digest", "image_references.target")
    .select("target")
    .distinct()
    .where("image_references.digest", "is", null)
    .where("failure", "is", null)
    .execute();
  return rows.map(({ target }) => target as Digest);
}

/** Images, and the indexes that led to them. What was pushed as an index stays for its repository alone. */
const leading = sql`leading(digest) AS (
  SELECT digest FROM images
  UNION SELECT manifest FROM manifest_names JOIN leading ON manifest_names.digest = leading.digest
    WHERE manifest NOT IN (SELECT digest FROM manifests))`;

const needed = (cutoff: number) => sql`${leading}, needed(digest) AS (
  SELECT each.value FROM images, json_each(images.blobs) AS each
  UNION SELECT digest FROM leading
  UNION SELECT target FROM image_references
  UNION SELECT digest FROM repository_contents WHERE kind = 'manifest' OR since > ${cutoff}
  UNION SELECT manifest_names.digest FROM manifest_names JOIN needed ON manifest_names.manifest = needed.digest)`;

/**
 * Digests that somebody needs. Rows about others go, and those of blobs that came in before `cutoff`: what a manifest names
 * is in its repository without one.
 */
async function sweepRows(db: Database, cutoff: number): Promise<ReadonlySet<Digest>> {
  return db.transaction().execute(async (tx) => {
    const { rows } = await sql<{
      digest: Digest;
    }>`WITH RECURSIVE ${needed(cutoff)} SELECT digest FROM needed`.execute(tx);
    await tx
      .deleteFrom("repository_contents")
      .where("kind", "=", "blob")
      .where("since", "<=", cutoff)
      .execute();
    // In this order: a name of what is no longer known as pushed would pass for one of an index that led to an image.
    await sql`WITH RECURSIVE ${needed(cutoff)}
      DELETE FROM manifest_names WHERE manifest NOT IN (SELECT digest FROM needed)`.execute(tx);
    await sql`WITH RECURSIVE ${needed(cutoff)} DELETE FROM manifests WHERE digest NOT IN (SELECT digest FROM needed)`.execute(
      tx,
    );
    await sql`WITH RECURSIVE ${needed(cutoff)}
      DELETE FROM blob_holders WHERE since <= ${cutoff} AND digest NOT IN (SELECT digest FROM needed)`.execute(
      tx,
    );
    return new Set(rows.map(({ digest }) => digest));
  });
}
