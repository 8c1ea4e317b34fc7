import type { Transaction } from "kysely";
import type { Database } from "./open.ts";
import type { Tables } from "./schema.ts";

/** How long a page cursor outlives what it points at. */
const cursorLifetimeMs = 24 * 60 * 60 * 1000;

/** Sequences by uuid, of groups and of certificates. */
export async function listDeletedServices(db: Database): Promise<Map<string, number>> {
  const rows = await db.selectFrom("deleted_service_resources").select(["uuid", "sequence"]).execute();
  return new Map(rows.map(({ uuid, sequence }) => [uuid, sequence]));
}

export async function keepCursor(
  tx: Transaction<Tables>,
  deleted: { readonly uuid: string; readonly sequence: number },
  now: number,
): Promise<void> {
  await tx
    .insertInto("deleted_service_resources")
    .values({ ...deleted, deleted_at: now })
    .execute();
  await tx
    .deleteFrom("deleted_service_resources")
    .where("deleted_at", "<", now - cursorLifetimeMs)
    .execute();
}
