import type { Insertable, Selectable, Transaction } from "kysely";
import { keepCursor } from "./cursors.ts";
import { deleteInstanceIn, type SaveOptions } from "./instances.ts";
import { requireFreeName } from "./names.ts";
import { withoutSync } from "./node-sqlite-dialect.ts";
import type { Database } from "./open.ts";
import type { SavedTables } from "./saved-schema.ts";
import type { Tables } from "./schema.ts";

export type SavedRow = Selectable<SavedTables["saved_instances"]>;
type NewRow = Insertable<SavedTables["saved_instances"]>;

/** All or none; returns their sequences. A name that is taken is `already_exists`. */
export async function insertSaved(db: Database, rows: readonly NewRow[]): Promise<number[]> {
  return db.transaction().execute(async (tx) => {
    const sequences: number[] = [];
    for (const row of rows) sequences.push(await insertIn(tx, row));
    return sequences;
  });
}

/** The instance goes and the saved one is there, under its id and name, in one transaction. */
export async function convertInstance(db: Database, row: NewRow, now: number): Promise<number> {
  return db.transaction().execute(async (tx) => {
    await deleteInstanceIn(tx, row.uuid, now);
    return insertIn(tx, row);
  });
}

async function insertIn(tx: Transaction<Tables>, row: NewRow): Promise<number> {
  await requireFreeName(tx, row);
  const { sequence } = await tx
    .insertInto("saved_instances")
    .values(row)
    .returning("sequence")
    .executeTakeFirstOrThrow();
  return sequence;
}

export async function saveSaved(
  db: Database,
  uuid: string,
  content: string,
  { synced = true }: SaveOptions = {},
): Promise<void> {
  const save = (on: Database) =>
    on.updateTable("saved_instances").set({ content }).where("uuid", "=", uuid).execute();
  await (synced ? save(db) : withoutSync(db, save));
}

export async function deleteSaved(db: Database, uuid: string, now: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const row = await tx
      .deleteFrom("saved_instances")
      .where("uuid", "=", uuid)
      .returning("sequence")
      .executeTakeFirst();
    if (row !== undefined) {
      await keepCursor(tx, "deleted_saved_instances", { uuid, sequence: row.sequence }, now);
    }
  });
}

export const listSaved = (db: Database): Promise<SavedRow[]> =>
  db.selectFrom("saved_instances").selectAll().orderBy("sequence").execute();
