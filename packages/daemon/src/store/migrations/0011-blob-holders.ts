import { type Kysely, sql } from "kysely";

const machine = "00000000-0000-4000-8000-000000000000";

/** The machine's own account has brought what is here, and has shared what has a plain name. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("blob_holders")
    .addColumn("digest", "text", (column) => column.notNull())
    .addColumn("holder", "text", (column) => column.notNull())
    .addColumn("since", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("blob_holders_key", ["digest", "holder"])
    .execute();
  await sql`INSERT INTO blob_holders SELECT each.digest, ${machine}, 0 FROM (
      SELECT value AS digest FROM images, json_each(images.blobs)
      UNION SELECT target FROM image_references
      UNION SELECT digest FROM manifests
      UNION SELECT digest FROM manifest_names
      UNION SELECT digest FROM repository_contents) AS each WHERE true
    ON CONFLICT DO NOTHING`.execute(db);
  await sql`WITH RECURSIVE
    named(name, digest) AS (
      SELECT reference, target FROM image_references UNION SELECT repository, digest FROM repository_contents),
    below(digest, holder) AS (
      SELECT digest, '*' FROM named WHERE instr(name, '/') = 0
      UNION SELECT digest, accounts.id FROM named
        JOIN accounts ON substr(named.name, 1, length(accounts.name) + 1) = accounts.name || '/'
      UNION SELECT manifest_names.digest, below.holder FROM below
        JOIN manifest_names ON manifest_names.manifest = below.digest)
    INSERT INTO blob_holders SELECT digest, holder, 0 FROM below WHERE true ON CONFLICT DO NOTHING`.execute(
    db,
  );
}
