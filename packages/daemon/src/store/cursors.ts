/** Sequences of what was deleted: a page that begins after it can still be found. */
import type { Transaction } from "kysely";
import type { Database } from "./open.ts";
import type { Tables } from "./schema.ts";

/** How long a page cursor outlives what it points at. */
const cursorLifetimeMs = 24 * 60 * 60 * 1000;

type CursorTable = "deleted_instances" | "deleted_service_resources" | "deleted_saved_instances";

/** Sequences by uuid. */
export async function listCursors(db: Database, table: CursorTable): Promise<Map<string, number>> {
  const rows = await db.selectFrom(table).select(["uuid", "sequence"]).execute();
  return new Map(rows.map(({ uuid, sequence }) => [uuid, sequence]));
}

export async function keepCursor(
  tx: Transaction<Tables>,
  table: CursorTable,
  deleted: { readonly uuid: string; readonly sequence: number },
  now: number,
): Promise<void> {
  await tx
    .insertInto(table)
    .values({ ...deleted, deleted_at: now })
    .execute();
  await tx
    .deleteFrom(table)
    .where("deleted_at", "<", now - cursorLifetimeMs)
    .execute();
}
