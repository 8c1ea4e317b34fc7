import { type Kysely, sql } from "kysely";

/** References get a target beside their image, which may not be there yet; SQLite changes no column, so the table is made anew. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("image_references").renameTo("old_references").execute();
  await db.schema.dropIndex("image_references_digest").execute();
  await db.schema
    .createTable("image_references")
    .addColumn("reference", "text", (column) => column.primaryKey())
    .addColumn("target", "text", (column) => column.notNull())
    .addColumn("digest", "text", (column) => column.references("images.digest"))
    .execute();
  await sql`INSERT INTO image_references SELECT reference, digest, digest FROM old_references`.execute(db);
  await db.schema.dropTable("old_references").execute();
  for (const column of ["digest", "target"]) {
    await db.schema.createIndex(`image_references_${column}`).on("image_references").column(column).execute();
  }

  await db.schema
    .createTable("manifests")
    .addColumn("digest", "text", (column) => column.primaryKey())
    .addColumn("media_type", "text", (column) => column.notNull())
    .addColumn("size_bytes", "bigint", (column) => column.notNull())
    .addColumn("artifact_type", "text", (column) => column.notNull())
    .addColumn("subject", "text")
    .addColumn("annotations", "text", (column) => column.notNull())
    .addColumn("failure", "text")
    .execute();
  await db.schema.createIndex("manifests_subject").on("manifests").column("subject").execute();

  await db.schema
    .createTable("manifest_names")
    .addColumn("manifest", "text", (column) => column.notNull())
    .addColumn("digest", "text", (column) => column.notNull())
    .addPrimaryKeyConstraint("manifest_names_key", ["manifest", "digest"])
    .execute();
  await db.schema.createIndex("manifest_names_digest").on("manifest_names").column("digest").execute();
  await sql`INSERT INTO manifest_names SELECT images.digest, each.value FROM images, json_each(images.blobs) AS each
    WHERE each.value <> images.digest`.execute(db);

  await db.schema
    .createTable("repository_contents")
    .addColumn("repository", "text", (column) => column.notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("digest", "text", (column) => column.notNull())
    .addColumn("since", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("repository_contents_key", ["repository", "kind", "digest"])
    .execute();
  await db.schema
    .createIndex("repository_contents_digest")
    .on("repository_contents")
    .column("digest")
    .execute();
}
