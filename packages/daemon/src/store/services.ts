import type { Insertable, Selectable } from "kysely";
import { keepCursor } from "./cursors.ts";
import type { Database } from "./open.ts";
import type { ServicesTables } from "./services-schema.ts";

export type ServiceGroupRow = Selectable<ServicesTables["service_groups"]>;

/** With its first members, or not at all; returns its sequence. */
export async function insertServiceGroup(
  db: Database,
  row: Insertable<ServicesTables["service_groups"]>,
  members: readonly string[],
): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const { sequence } = await tx
      .insertInto("service_groups")
      .values(row)
      .returning("sequence")
      .executeTakeFirstOrThrow();
    for (const instance of members) {
      await tx.insertInto("service_members").values({ instance, service_group: row.uuid }).execute();
    }
    return sequence;
  });
}

export async function saveServiceGroup(
  db: Database,
  uuid: string,
  columns: { readonly spec?: string; readonly empty_since?: number | null },
): Promise<void> {
  await db.updateTable("service_groups").set(columns).where("uuid", "=", uuid).execute();
}

/** Both at once: a group is empty exactly when it says since when. */
export async function addServiceMember(db: Database, uuid: string, instance: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.insertInto("service_members").values({ instance, service_group: uuid }).execute();
    await tx.updateTable("service_groups").set({ empty_since: null }).where("uuid", "=", uuid).execute();
  });
}

/** `emptySince` is set on the group when it was the last member. */
export async function removeServiceMember(
  db: Database,
  uuid: string,
  instance: string,
  emptySince: number | null,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom("service_members").where("instance", "=", instance).execute();
    await tx
      .updateTable("service_groups")
      .set({ empty_since: emptySince })
      .where("uuid", "=", uuid)
      .execute();
  });
}

/** With its members. */
export async function deleteServiceGroup(db: Database, uuid: string, now: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom("service_members").where("service_group", "=", uuid).execute();
    const row = await tx
      .deleteFrom("service_groups")
      .where("uuid", "=", uuid)
      .returning("sequence")
      .executeTakeFirst();
    if (row === undefined) return;
    await keepCursor(tx, "deleted_service_resources", { uuid, sequence: row.sequence }, now);
  });
}

export const listServiceGroups = (db: Database): Promise<ServiceGroupRow[]> =>
  db.selectFrom("service_groups").selectAll().orderBy("sequence").execute();

export const listServiceMembers = (
  db: Database,
): Promise<{ readonly instance: string; readonly service_group: string }[]> =>
  db.selectFrom("service_members").select(["instance", "service_group"]).execute();
