import type { Kysely } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("acme_certificates")
    .addColumn("certificate", "text", (column) => column.primaryKey().references("certificates.uuid"))
    .addColumn("failures", "integer", (column) => column.notNull())
    .addColumn("next_at", "bigint", (column) => column.notNull())
    .addColumn("reason", "text")
    .addColumn("order_url", "text")
    .addColumn("proof", "text")
    .execute();
}
