import type { Kysely } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("image_pins")
    .addColumn("uuid", "text", (column) => column.primaryKey())
    .addColumn("account", "text", (column) => column.notNull().references("accounts.id"))
    .addColumn("url", "text", (column) => column.notNull())
    .addColumn("digest", "text")
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("idle_ms", "bigint", (column) => column.notNull())
    .addColumn("used_at", "bigint", (column) => column.notNull())
    .addUniqueConstraint("image_pins_account_url", ["account", "url"])
    .execute();
  await db.schema
    .createTable("pulled_references")
    .addColumn("reference", "text", (column) => column.primaryKey())
    .addColumn("digest", "text", (column) => column.notNull())
    .addColumn("used_at", "bigint", (column) => column.notNull())
    .execute();
}
