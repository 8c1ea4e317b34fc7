import type { Kysely } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("images")
    .addColumn("digest", "text", (column) => column.primaryKey())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("size_bytes", "bigint", (column) => column.notNull())
    .addColumn("root", "text", (column) => column.notNull())
    .addColumn("config", "text", (column) => column.notNull())
    .addColumn("blobs", "text", (column) => column.notNull())
    .addColumn("missing", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("image_references")
    .addColumn("reference", "text", (column) => column.primaryKey())
    .addColumn("digest", "text", (column) => column.notNull().references("images.digest"))
    .execute();
  await db.schema.createIndex("image_references_digest").on("image_references").column("digest").execute();
}
