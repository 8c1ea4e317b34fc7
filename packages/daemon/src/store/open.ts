import { chmod, open } from "node:fs/promises";
import { UniError } from "@uni/contract/errors";
import { Kysely } from "kysely";
import { type MigrationProvider, Migrator } from "kysely/migration";
import * as core from "./migrations/0001-core.ts";
import * as images from "./migrations/0002-images.ts";
import * as services from "./migrations/0003-services.ts";
import * as acme from "./migrations/0004-acme.ts";
import * as saved from "./migrations/0005-saved.ts";
import * as autoscale from "./migrations/0006-autoscale.ts";
import * as repositories from "./migrations/0007-repositories.ts";
import * as pins from "./migrations/0009-image-pins.ts";
import * as registryCredentials from "./migrations/0010-registry-credentials.ts";
import * as blobHolders from "./migrations/0011-blob-holders.ts";
import { isDamaged, nodeSqliteDialect } from "./node-sqlite-dialect.ts";
import type { Tables } from "./schema.ts";

export type Database = Kysely<Tables>;

const migrations: MigrationProvider = {
  getMigrations: async () => ({
    "0001-core": core,
    "0002-images": images,
    "0003-services": services,
    "0004-acme": acme,
    "0005-saved": saved,
    "0006-autoscale": autoscale,
    "0007-repositories": repositories,
    "0009-image-pins": pins,
    "0010-registry-credentials": registryCredentials,
    "0011-blob-holders": blobHolders,
  }),
};

/** Opens the database, brings it to the newest schema, and refuses one that a newer version has written. */
export async function openDatabase(path: string): Promise<Database> {
  if (path !== ":memory:") await keepPrivate(path);
  try {
    return await migrated(path);
  } catch (error) {
    throw openError(path, error);
  }
}

async function migrated(path: string): Promise<Database> {
  const db = new Kysely<Tables>({ dialect: nodeSqliteDialect(path) });
  const { error } = await new Migrator({ db, provider: migrations }).migrateToLatest();
  if (error === undefined) return db;
  await db.destroy();
  throw error;
}

function openError(path: string, cause: unknown): UniError {
  if (cause instanceof UniError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const hint = isDamaged(cause)
    ? "Put a copy of it in its place, and remove the files of the same name that end in -wal and -shm."
    : "If a newer version of Uni has used this data directory, start that version.";
  return new UniError("host_unfit", `open the database ${path}: ${reason}`, { hint, cause });
}

/** It holds passwords of registries and environments of programs; SQLite gives its other files the mode of this one. */
async function keepPrivate(path: string): Promise<void> {
  await (await open(path, "a", 0o600)).close();
  for (const file of [path, `${path}-wal`, `${path}-shm`]) await chmod(file, 0o600).catch(isMissing);
}

function isMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}
