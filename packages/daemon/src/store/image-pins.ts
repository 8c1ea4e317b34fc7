import type { AccountId, Digest } from "@uni/contract/ids";
import type { Database } from "./open.ts";

export interface PinRow {
  readonly uuid: string;
  readonly account: AccountId;
  /** As it was asked for. */
  readonly url: string;
  /** Null until the image is here. */
  readonly digest: Digest | null;
  readonly createdAt: number;
  /** Without a use for this long it is given up; 0: never. */
  readonly idleMs: number;
  readonly usedAt: number;
}

export async function savePin(db: Database, row: PinRow): Promise<void> {
  const { uuid, account, url, digest } = row;
  const changing = { digest, idle_ms: row.idleMs, used_at: row.usedAt };
  await db
    .insertInto("image_pins")
    .values({ uuid, account, url, created_at: row.createdAt, ...changing })
    .onConflict((conflict) => conflict.column("uuid").doUpdateSet(changing))
    .execute();
}

export async function deletePin(db: Database, uuid: string): Promise<void> {
  await db.deleteFrom("image_pins").where("uuid", "=", uuid).execute();
}

export async function listPins(db: Database): Promise<PinRow[]> {
  const rows = await db.selectFrom("image_pins").selectAll().orderBy("created_at").orderBy("uuid").execute();
  return rows.map((row) => ({
    uuid: row.uuid,
    account: row.account as AccountId,
    url: row.url,
    digest: row.digest as Digest | null,
    createdAt: row.created_at,
    idleMs: row.idle_ms,
    usedAt: row.used_at,
  }));
}
