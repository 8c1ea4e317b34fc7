import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { account, withRegistry } from "../instances/test-records.ts";
import type { Database } from "../store/open.ts";
import { adminTokenFile, ensureAdminToken, tokenChecker } from "./admin-token.ts";

async function withStore(body: (db: Database, directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "token-"));
  try {
    await withRegistry([], (_registry, db) => body(db, directory));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const read = (directory: string): string => readFileSync(adminTokenFile(directory), "utf8").trim();

test("the token is made once, for root alone, and the store knows its hash only", async () => {
  await withStore(async (db, directory) => {
    await ensureAdminToken(db, directory, account, 1);
    const token = read(directory);
    assert.equal(statSync(adminTokenFile(directory)).mode & 0o777, 0o600);
    await ensureAdminToken(db, directory, account, 2);
    assert.equal(read(directory), token);
    const check = await tokenChecker(db);
    assert.equal(check(token), account);
    for (const wrong of ["", `${token}x`, token.toLowerCase()]) assert.equal(check(wrong), undefined);
    const stored = await db.selectFrom("tokens").selectAll().execute();
    assert.equal(JSON.stringify(stored).includes(token), false);
  });
});

test("a file that was removed or changed is made anew, and then the old token is void", async () => {
  await withStore(async (db, directory) => {
    await ensureAdminToken(db, directory, account, 1);
    const first = read(directory);
    rmSync(adminTokenFile(directory));
    await ensureAdminToken(db, directory, account, 2);
    const second = read(directory);
    writeFileSync(adminTokenFile(directory), `${first}\n`);
    await ensureAdminToken(db, directory, account, 3);
    const third = read(directory);
    const check = await tokenChecker(db);
    assert.deepEqual([check(first), check(second), check(third)], [undefined, undefined, account]);
  });
});
