import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import type { AccountId } from "@uni/contract/ids";
import { readTextIfExists, writeFileAtomic } from "../host/files.ts";
import { listTokens, replaceTokens } from "../store/accounts.ts";
import type { Database } from "../store/open.ts";

export const adminTokenFile = (dataDirectory: string): string => join(dataDirectory, "admin-token");

/**
 * Makes the admin's token at first start. The store keeps its hash only; a file that was removed is made anew, and then
 * the old token is void.
 */
export async function ensureAdminToken(
  db: Database,
  dataDirectory: string,
  admin: AccountId,
  now: number,
): Promise<void> {
  const path = adminTokenFile(dataDirectory);
  const kept = (await readTextIfExists(path))?.trim();
  const hashes = new Set((await listTokens(db)).map((token) => token.hash));
  if (kept !== undefined && hashes.has(hashToken(kept))) return;
  const token = randomBytes(32).toString("base64url");
  await replaceTokens(db, admin, hashToken(token), now);
  await writeFileAtomic(path, `${token}\n`, 0o600);
}

/** Looks a token up by its hash, so that the time it takes says nothing about the tokens that there are. */
export async function tokenChecker(db: Database): Promise<(token: string) => AccountId | undefined> {
  const accounts = new Map((await listTokens(db)).map((token) => [token.hash, token.account]));
  return (token) => accounts.get(hashToken(token));
}

const hashToken = (token: string): string => createHash("sha256").update(token).digest("hex");
