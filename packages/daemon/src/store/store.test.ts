import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { asAccountId, type Digest } from "@uni/contract/ids";
import { Kysely, sql } from "kysely";
import { ensureAccount, listAccounts } from "./accounts.ts";
import { createBlobHolders } from "./blob-holders.ts";
import { listCursors } from "./cursors.ts";
import { deleteInstance, insertInstances, listInstances, saveInstance } from "./instances.ts";
import * as coreMigration from "./migrations/0001-core.ts";
import * as imagesMigration from "./migrations/0002-images.ts";
import * as repositoriesMigration from "./migrations/0007-repositories.ts";
import * as holdersMigration from "./migrations/0011-blob-holders.ts";
import { nodeSqliteDialect, syncWritten } from "./node-sqlite-dialect.ts";
import { type Database, openDatabase } from "./open.ts";
import { createRepositoryCatalogue } from "./repositories.ts";
import type { Tables } from "./schema.ts";
import { readSetting, writeSetting } from "./settings.ts";

async function withDatabase(body: (db: Database, path: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-store-"));
  const path = join(directory, "uni.db");
  const db = await openDatabase(path);
  try {
    await body(db, path);
  } finally {
    await db.destroy();
    rmSync(directory, { recursive: true });
  }
}

const row = (uuid: string, name: string, address: string) => ({
  uuid,
  account: "a",
  name,
  address,
  created_at: 1,
  spec: "{}",
  status: "{}",
});

test("an instance survives a reopen, and a deleted one keeps its place in the order", async () => {
  await withDatabase(async (db, path) => {
    await ensureAccount(db, { id: asAccountId("a"), name: "admin" }, 1);
    const [first] = await insertInstances(db, [row("u1", "one", "10.0.0.1"), row("u2", "two", "10.0.0.2")]);
    await saveInstance(db, "u2", { spec: '{"x":1}', status: "{}" });
    // In the file for everybody at once, synced or not.
    await saveInstance(db, "u2", { spec: '{"x":2}', status: "{}" }, { synced: false });
    await syncWritten(db);
    assert.equal(
      (await sql<{ synchronous: number }>`PRAGMA synchronous`.execute(db)).rows[0]?.synchronous,
      2,
    );
    await deleteInstance(db, "u1", 2);
    const again = await openDatabase(path);
    assert.deepEqual(
      (await listInstances(again)).map((each) => [each.uuid, each.spec]),
      [["u2", '{"x":2}']],
    );
    assert.deepEqual([...(await listCursors(again, "deleted_instances"))], [["u1", first]]);
    await again.destroy();
  });
});

test("a taken name refuses the whole batch and says who has it", async () => {
  await withDatabase(async (db) => {
    await ensureAccount(db, { id: asAccountId("a"), name: "admin" }, 1);
    await insertInstances(db, [row("u1", "one", "10.0.0.1")]);
    await assert.rejects(
      insertInstances(db, [row("u2", "two", "10.0.0.2"), row("u3", "one", "10.0.0.3")]),
      /the name is taken/,
    );
    assert.equal((await listInstances(db)).length, 1);
  });
});

test("settings are written over, accounts are kept", async () => {
  await withDatabase(async (db) => {
    assert.equal(await readSetting(db, "pool"), undefined);
    await writeSetting(db, "pool", "10.1.0.0/16");
    await writeSetting(db, "pool", "10.2.0.0/16");
    assert.equal(await readSetting(db, "pool"), "10.2.0.0/16");
    await ensureAccount(db, { id: asAccountId("a"), name: "admin" }, 1);
    await ensureAccount(db, { id: asAccountId("a"), name: "admin" }, 9);
    assert.equal((await listAccounts(db)).length, 1);
  });
});

test("references of an older schema mean their images, and what an image names is known", async () => {
  const db = new Kysely<Tables>({ dialect: nodeSqliteDialect(":memory:") });
  await coreMigration.up(db as Kysely<unknown>);
  await imagesMigration.up(db as Kysely<unknown>);
  await sql`INSERT INTO images VALUES ('sha256:a', 1, 2, 'root', '{}', '["sha256:a","sha256:b"]', '[]')`.execute(
    db,
  );
  await sql`INSERT INTO image_references VALUES ('web:1', 'sha256:a')`.execute(db);
  await repositoriesMigration.up(db as Kysely<unknown>);
  await holdersMigration.up(db as Kysely<unknown>);
  assert.deepEqual(
    (await sql`SELECT * FROM image_references`.execute(db)).rows.map((row) => ({ ...(row as object) })),
    [{ reference: "web:1", target: "sha256:a", digest: "sha256:a" }],
  );
  const repositories = createRepositoryCatalogue(db);
  assert.deepEqual([...(await repositories.needed(0))].sort(), ["sha256:a", "sha256:b"]);
  assert.equal(await repositories.contains("web", "sha256:b" as Digest, "blob"), true);
  assert.equal(await repositories.contains("we", "sha256:b" as Digest, "blob"), false);
  await db.destroy();
});

test("of an older schema the machine's account has everything, others what their names lead to", async () => {
  const db = new Kysely<Tables>({ dialect: nodeSqliteDialect(":memory:") });
  const old = db as Kysely<unknown>;
  await coreMigration.up(old);
  await imagesMigration.up(old);
  await repositoriesMigration.up(old);
  await sql`INSERT INTO accounts VALUES ('t', 'team', 2), ('o', 'tea', 3)`.execute(db);
  for (const digest of ["a", "b"]) {
    await sql`INSERT INTO images VALUES (${digest}, 1, 2, 'root', '{}', ${`["${digest}"]`}, '[]')`.execute(
      db,
    );
  }
  await sql`INSERT INTO image_references VALUES ('hello:1', 'a', 'a'), ('team/web:1', 'b', 'b')`.execute(db);
  await sql`INSERT INTO manifest_names VALUES ('a', 'c'), ('c', 'd')`.execute(db);
  await sql`INSERT INTO repository_contents VALUES ('team/x', 'blob', 'e', 1)`.execute(db);
  await holdersMigration.up(old);
  const holders = createBlobHolders(db);
  const of = async (digest: string) =>
    [...(await holders.of(digest as Digest))]
      .map((each) => (each.length > 1 ? "m" : each))
      .sort()
      .join();
  const found = await Promise.all(["a", "b", "c", "d", "e"].map(of));
  assert.deepEqual(found, ["*,m", "m,t", "*,m", "*,m", "m,t"]);
  await db.destroy();
});

test("nobody else reads the database, not even one that was readable before", async () => {
  await withDatabase(async (db, path) => {
    await writeSetting(db, "a", "b");
    const files = [path, `${path}-wal`, `${path}-shm`];
    const modes = () => files.map((file) => statSync(file).mode & 0o777);
    assert.deepEqual(modes(), [0o600, 0o600, 0o600]);
    for (const file of files) chmodSync(file, 0o644);
    const again = await openDatabase(path);
    assert.deepEqual(modes(), [0o600, 0o600, 0o600]);
    await again.destroy();
  });
});
