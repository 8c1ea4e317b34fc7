import type { Insertable, Selectable, Transaction } from "kysely";
import { keepCursor } from "./cursors.ts";
import { requireFreeName } from "./names.ts";
import { withoutSync } from "./node-sqlite-dialect.ts";
import type { Database } from "./open.ts";
import type { CoreTables, Tables } from "./schema.ts";

export type InstanceRow = Selectable<CoreTables["instances"]>;

/** Inserts all or none; returns their sequences. A name or address that is taken is `already_exists`. */
export function insertInstances(
  db: Database,
  rows: readonly Insertable<CoreTables["instances"]>[],
  { synced = true }: SaveOptions = {},
): Promise<number[]> {
  const insert = (on: Database) => insertAll(on, rows);
  return synced ? insert(db) : withoutSync(db, insert);
}

function insertAll(db: Database, rows: readonly Insertable<CoreTables["instances"]>[]): Promise<number[]> {
  return db.transaction().execute(async (tx) => {
    const sequences: number[] = [];
    for (const row of rows) {
      await requireFreeName(tx, row);
      const inserted = await tx
        .insertInto("instances")
        .values(row)
        .returning("sequence")
        .executeTakeFirstOrThrow();
      sequences.push(inserted.sequence);
    }
    return sequences;
  });
}

export interface SaveOptions {
  /** False: it survives the end of this process at once, and a power cut after the next save that is synced, or `syncWritten`. */
  readonly synced?: boolean | undefined;
}

export async function saveInstance(
  db: Database,
  uuid: string,
  columns: { readonly spec: string; readonly status: string },
  { synced = true }: SaveOptions = {},
): Promise<void> {
  const save = (on: Database) => on.updateTable("instances").set(columns).where("uuid", "=", uuid).execute();
  await (synced ? save(db) : withoutSync(db, save));
}

export const deleteInstance = (db: Database, uuid: string, now: number): Promise<void> =>
  db.transaction().execute((tx) => deleteInstanceIn(tx, uuid, now));

export async function deleteInstanceIn(tx: Transaction<Tables>, uuid: string, now: number): Promise<void> {
  const row = await tx
    .deleteFrom("instances")
    .where("uuid", "=", uuid)
    .returning("sequence")
    .executeTakeFirst();
  if (row === undefined) return;
  await keepCursor(tx, "deleted_instances", { uuid, sequence: row.sequence }, now);
}

export const listInstances = (db: Database): Promise<InstanceRow[]> =>
  db.selectFrom("instances").selectAll().orderBy("sequence").execute();
