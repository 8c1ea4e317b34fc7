import type { Insertable, Selectable } from "kysely";
import { keepCursor } from "./cursors.ts";
import type { Database } from "./open.ts";
import type { ServicesTables } from "./services-schema.ts";

export type CertificateRow = Selectable<ServicesTables["certificates"]>;

/** Returns its sequence. */
export async function insertCertificate(
  db: Database,
  row: Insertable<ServicesTables["certificates"]>,
): Promise<number> {
  const inserted = await db
    .insertInto("certificates")
    .values(row)
    .returning("sequence")
    .executeTakeFirstOrThrow();
  return inserted.sequence;
}

export async function deleteCertificate(db: Database, uuid: string, now: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const row = await tx
      .deleteFrom("certificates")
      .where("uuid", "=", uuid)
      .returning("sequence")
      .executeTakeFirst();
    if (row === undefined) return;
    await keepCursor(tx, "deleted_service_resources", { uuid, sequence: row.sequence }, now);
  });
}

export const listCertificates = (db: Database): Promise<CertificateRow[]> =>
  db.selectFrom("certificates").selectAll().orderBy("sequence").execute();
