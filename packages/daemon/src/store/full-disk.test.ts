/** The database on a disk without room: told as such, nothing lost, and what frees room goes on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { asAccountId } from "@uni/contract/ids";
import { enterOwnNamespaces } from "../../../../test/kit/own-namespaces.ts";
import { ensureAccount } from "./accounts.ts";
import { deleteInstance, insertInstances, listInstances, saveInstance } from "./instances.ts";
import { type Database, openDatabase } from "./open.ts";

enterOwnNamespaces();

interface Disk {
  readonly directory: string;
  readonly fill: () => void;
  readonly free: () => void;
}

function smallDisk(context: TestContext): Disk {
  const directory = mkdtempSync(join(tmpdir(), "uni-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", directory]);
  context.after(() => {
    execFileSync("umount", [directory]);
    rmdirSync(directory);
  });
  const filler = join(directory, "filler");
  const fill = (): void => {
    const file = openSync(filler, "a");
    const page = Buffer.alloc(4096);
    try {
      for (;;) writeSync(file, page);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
    } finally {
      closeSync(file);
    }
  };
  return { directory, fill, free: () => rmSync(filler) };
}

const row = (uuid: string) => ({
  uuid,
  account: "a",
  name: uuid,
  address: uuid,
  created_at: 1,
  spec: JSON.stringify({ text: "x".repeat(20_000) }),
  status: "{}",
});

async function insertUntilFull(db: Database): Promise<number> {
  for (let count = 0; ; count++) {
    try {
      await insertInstances(db, [row(`more-${count}`)]);
    } catch (error) {
      const { code, message, hint } = error as { code: string; message: string; hint?: string };
      assert.deepEqual([code, typeof hint], ["no_space", "string"], message);
      return count;
    }
  }
}

test("on a full disk a record that is new is refused, one that changes or goes does not need room", async (context) => {
  const { directory, fill, free } = smallDisk(context);
  const path = join(directory, "uni.db");
  const db = await openDatabase(path);
  await ensureAccount(db, { id: asAccountId("a"), name: "admin" }, 1);
  const uuids = Array.from({ length: 20 }, (_, index) => `u${index}`);
  await insertInstances(db, uuids.map(row));
  fill();
  const inserted = await insertUntilFull(db);
  for (const uuid of uuids) {
    await saveInstance(db, uuid, { spec: "{}", status: '{"changed":true}' });
    await deleteInstance(db, uuid, 2).catch(() => deleteInstance(db, uuid, 2));
  }
  free();
  await insertInstances(db, [row("last")]);
  await db.destroy();
  fill();
  await assert.rejects(openDatabase(path), { code: "no_space" });
  free();
  const again = await openDatabase(path);
  assert.equal(
    (await listInstances(again)).length,
    inserted + 1,
    "what was refused is not there, all else is",
  );
  await again.destroy();
});

test("a database that is damaged or none is told with its path and what to do", async (context) => {
  const { directory } = smallDisk(context);
  const path = join(directory, "uni.db");
  writeFileSync(path, Buffer.alloc(8192, "no database"));
  await assert.rejects(openDatabase(path), ({ code, message, hint }) => {
    assert.equal(code, "host_unfit");
    assert.match(message, /^open the database .*uni\.db: file is not a database$/);
    assert.match(hint, /copy/);
    return true;
  });
});
