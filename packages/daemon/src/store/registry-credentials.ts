/** What registries want to see, by their host. Nobody but a request to that host is told the password. */
import type { Database } from "./open.ts";

export interface RegistryCredentialsTables {
  registry_credentials: {
    registry: string;
    username: string;
    password: string;
    created_at: number;
    updated_at: number;
  };
}

export const findRegistryCredentials = (
  db: Database,
  registry: string,
): Promise<{ username: string; password: string } | undefined> =>
  db
    .selectFrom("registry_credentials")
    .select(["username", "password"])
    .where("registry", "=", registry)
    .executeTakeFirst();

export async function putRegistryCredentials(
  db: Database,
  entry: { readonly registry: string; readonly username: string; readonly password: string },
  now: number,
): Promise<void> {
  const { registry, username, password } = entry;
  const changed = { username, password, updated_at: now };
  await db
    .insertInto("registry_credentials")
    .values({ registry, created_at: now, ...changed })
    .onConflict((conflict) => conflict.column("registry").doUpdateSet(changed))
    .execute();
}

/** False: there were none. */
export async function deleteRegistryCredentials(db: Database, registry: string): Promise<boolean> {
  const [{ numDeletedRows } = { numDeletedRows: 0n }] = await db
    .deleteFrom("registry_credentials")
    .where("registry", "=", registry)
    .execute();
  return numDeletedRows > 0n;
}

export const listRegistryCredentials = (db: Database) =>
  db
    .selectFrom("registry_credentials")
    .select(["registry", "username", "created_at", "updated_at"])
    .orderBy("registry")
    .execute();
