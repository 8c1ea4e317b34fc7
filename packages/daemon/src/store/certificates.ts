import type { Insertable, Selectable } from "kysely";
import { keepCursor } from "./cursors.ts";
import type { Database } from "./open.ts";
import type { ServicesTables } from "./services-schema.ts";

export type CertificateRow = Selectable<ServicesTables["certificates"]>;

export type AcmeRow = Selectable<ServicesTables["acme_certificates"]>;

/** Returns its sequence. `acme`: it is to be issued. */
export async function insertCertificate(
  db: Database,
  row: Insertable<ServicesTables["certificates"]>,
  acme?: AcmeRow,
): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const { sequence } = await tx
      .insertInto("certificates")
      .values(row)
      .returning("sequence")
      .executeTakeFirstOrThrow();
    if (acme !== undefined) await tx.insertInto("acme_certificates").values(acme).execute();
    return sequence;
  });
}

export async function saveAcme(db: Database, { certificate, ...columns }: AcmeRow): Promise<void> {
  await db.updateTable("acme_certificates").set(columns).where("certificate", "=", certificate).execute();
}

export async function deleteCertificate(db: Database, uuid: string, now: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom("acme_certificates").where("certificate", "=", uuid).execute();
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

export const listAcme = (db: Database): Promise<AcmeRow[]> =>
  db.selectFrom("acme_certificates").selectAll().execute();
