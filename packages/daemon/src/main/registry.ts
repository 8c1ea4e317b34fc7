import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import type { AccountId } from "@uni/contract/ids";
import { readTextIfExists, writeFileAtomic } from "../host/files.ts";
import { listAccounts } from "../store/accounts.ts";
import type { Database } from "../store/open.ts";

const keyBytes = 32;

/** Made at first start; whoever removes it ends the log-ins of those who have a token of the registry. */
export async function registryKey(dataDirectory: string): Promise<Uint8Array> {
  const path = join(dataDirectory, "registry-key");
  const kept = Buffer.from((await readTextIfExists(path))?.trim() ?? "", "base64url");
  if (kept.length === keyBytes) return kept;
  const key = randomBytes(keyBytes);
  await writeFileAtomic(path, `${key.toString("base64url")}\n`, 0o600);
  return key;
}

/** The machine's own account has all repositories, others those below their names. */
export async function namespaces(
  db: Database,
  admin: AccountId,
): Promise<(account: AccountId) => string | undefined> {
  const names = new Map((await listAccounts(db)).map(({ id, name }) => [id, name]));
  return (account) => (account === admin ? undefined : (names.get(account) ?? account));
}

/** What the address that the daemon listens on may be called on this machine. */
export function registryHosts(address: string | undefined): readonly string[] {
  if (address === undefined) return [];
  const port = address.slice(address.lastIndexOf(":"));
  return [address, ...["127.0.0.1", "[::1]", "localhost", hostname()].map((host) => `${host}${port}`)];
}
