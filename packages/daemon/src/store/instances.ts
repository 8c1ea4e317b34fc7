import { UniError } from "@uni/contract/errors";
import type { Insertable, Selectable } from "kysely";
import { withoutSync } from "./node-sqlite-dialect.ts";
import type { Database } from "./open.ts";
import type { CoreTables } from "./schema.ts";

export type InstanceRow = Selectable<CoreTables["instances"]>;

/** Inserts all or none; returns their sequences. A name or address that is taken is `already_exists`. */
export async function insertInstances(
  db: Database,
  rows: readonly Insertable<CoreTables["instances"]>[],
): Promise<number[]> {
  return db.transaction().execute(async (tx) => {
    const sequences: number[] = [];
    for (const row of rows) {
      const taken = await tx
        .selectFrom("instances")
        .select("uuid")
        .where("account", "=", row.account)
        .where("name", "=", row.name)
        .executeTakeFirst();
      if (taken !== undefined) {
        throw new UniError("already_exists", `create instance '${row.name}': the name is taken`, {
          hint: "Choose another name, or remove that instance first.",
        });
      }
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
  /** False: it survives the end of this process at once, and a power cut only after the next save that is synced. */
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

export async function deleteInstance(db: Database, uuid: string, now: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const row = await tx
      .deleteFrom("instances")
      .where("uuid", "=", uuid)
      .returning("sequence")
      .executeTakeFirst();
    if (row === undefined) return;
    await tx
      .insertInto("deleted_instances")
      .values({ uuid, sequence: row.sequence, deleted_at: now })
      .execute();
    await tx
      .deleteFrom("deleted_instances")
      .where("deleted_at", "<", now - cursorLifetimeMs)
      .execute();
  });
}

/** How long a page cursor outlives its instance. */
const cursorLifetimeMs = 24 * 60 * 60 * 1000;

export const listInstances = (db: Database): Promise<InstanceRow[]> =>
  db.selectFrom("instances").selectAll().orderBy("sequence").execute();

export const listDeleted = (db: Database): Promise<{ uuid: string; sequence: number }[]> =>
  db.selectFrom("deleted_instances").select(["uuid", "sequence"]).execute();
