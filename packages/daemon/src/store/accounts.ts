import type { AccountId } from "@uni/contract/ids";
import type { Database } from "./open.ts";

export interface AccountRow {
  readonly id: AccountId;
  readonly name: string;
}

export async function ensureAccount(db: Database, account: AccountRow, now: number): Promise<void> {
  await db
    .insertInto("accounts")
    .values({ ...account, created_at: now })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** In the order they were made: the position is the account's block of addresses. */
export async function listAccounts(db: Database): Promise<AccountRow[]> {
  const rows = await db
    .selectFrom("accounts")
    .select(["id", "name"])
    .orderBy("created_at")
    .orderBy("id")
    .execute();
  return rows.map((row) => ({ id: row.id as AccountId, name: row.name }));
}

export async function replaceTokens(
  db: Database,
  account: AccountId,
  hash: string,
  now: number,
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await tx.deleteFrom("tokens").where("account", "=", account).execute();
    await tx.insertInto("tokens").values({ hash, account, created_at: now }).execute();
  });
}

export async function listTokens(db: Database): Promise<{ hash: string; account: AccountId }[]> {
  const rows = await db.selectFrom("tokens").select(["hash", "account"]).execute();
  return rows.map((row) => ({ hash: row.hash, account: row.account as AccountId }));
}
