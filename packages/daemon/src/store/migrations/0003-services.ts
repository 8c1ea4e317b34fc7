import type { Kysely } from "kysely";

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("service_groups")
    .addColumn("sequence", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("uuid", "text", (column) => column.notNull().unique())
    .addColumn("account", "text", (column) => column.notNull().references("accounts.id"))
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("spec", "text", (column) => column.notNull())
    .addColumn("empty_since", "bigint")
    .addUniqueConstraint("service_groups_name", ["account", "name"])
    .execute();
  await db.schema
    .createTable("service_members")
    .addColumn("instance", "text", (column) => column.primaryKey())
    .addColumn("service_group", "text", (column) => column.notNull().references("service_groups.uuid"))
    .execute();
  await db.schema
    .createIndex("service_members_group")
    .on("service_members")
    .column("service_group")
    .execute();
  await db.schema
    .createTable("certificates")
    .addColumn("sequence", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("uuid", "text", (column) => column.notNull().unique())
    .addColumn("account", "text", (column) => column.notNull().references("accounts.id"))
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("common_name", "text", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addUniqueConstraint("certificates_name", ["account", "name"])
    .execute();
  await db.schema
    .createTable("deleted_service_resources")
    .addColumn("uuid", "text", (column) => column.primaryKey())
    .addColumn("sequence", "bigint", (column) => column.notNull())
    .addColumn("deleted_at", "bigint", (column) => column.notNull())
    .execute();
}
