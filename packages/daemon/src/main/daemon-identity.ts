import { randomInt } from "node:crypto";
import type { AccountId } from "@uni/contract/ids";
import type { Database } from "../store/open.ts";
import { readSetting, writeSetting } from "../store/settings.ts";

const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
const idLength = 5;

/** Marks this daemon's devices, routes and rules on the host; made once per data directory. */
export async function daemonId(db: Database): Promise<string> {
  const kept = await readSetting(db, "daemon-id");
  if (kept !== undefined) return kept;
  const id = Array.from({ length: idLength }, () => letters[randomInt(letters.length)]).join("");
  await writeSetting(db, "daemon-id", id);
  return id;
}

/** The address pool, chosen once; instances keep their addresses for life. */
export async function addressPool(db: Database, choose: () => Promise<string>): Promise<string> {
  const kept = await readSetting(db, "address-pool");
  if (kept !== undefined) return kept;
  const pool = await choose();
  await writeSetting(db, "address-pool", pool);
  return pool;
}

export async function readAccountBlocks(db: Database): Promise<Map<AccountId, readonly number[]>> {
  const kept = await readSetting(db, "account-blocks");
  return new Map(kept === undefined ? [] : (JSON.parse(kept) as [AccountId, number[]][]));
}

export async function writeAccountBlocks(
  db: Database,
  blocks: ReadonlyMap<AccountId, readonly number[]>,
): Promise<void> {
  await writeSetting(db, "account-blocks", JSON.stringify([...blocks]));
}
