import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { RomFiles } from "./rom-files.ts";

async function withRoms(body: (roms: RomFiles, directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "uni-roms-"));
  try {
    await body(await RomFiles.open(join(directory, "roms")), directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const file = (path: string, text: string) => ({ path, bytes: Buffer.from(text) });

test("files are an EROFS image of whole blocks that others may read", async () => {
  await withRoms(async (roms, directory) => {
    const long = "x".repeat(10_000);
    const files = [file("a/b/text", "hello"), file("a/ünï", long), file("empty", "")];
    const { id } = await roms.make(files);
    const { size, mode } = statSync(roms.path(id));
    assert.deepEqual([size % 4096, mode & 0o777], [0, 0o444]);
    const out = join(directory, "out");
    execFileSync("fsck.erofs", [`--extract=${out}`, roms.path(id)], { stdio: "pipe" });
    for (const { path, bytes } of files) assert.deepEqual(readFileSync(join(out, path)), bytes, path);
    assert.equal(statSync(join(out, "a/b/text")).mode & 0o777, 0o755);
    assert.deepEqual(readdirSync(out).sort(), ["a", "empty"]);
  });
});

test("the same files are one image, made once however many ask; others are another", async () => {
  await withRoms(async (roms) => {
    const made = await Promise.all([1, 2, 3].map(() => roms.make([file("a", "1"), file("b", "2")])));
    assert.equal(new Set(made.map(({ id }) => id)).size, 1);
    const other = await roms.make([file("a", "12"), file("b", "")]);
    assert.notEqual(other.id, made[0]?.id);
  });
});

test("what is held or needed stays, also over a restart; what a crash left does not", async () => {
  await withRoms(async (roms, directory) => {
    const held = await roms.make([file("a", "1")]);
    const needed = await roms.make([file("a", "2")]);
    needed.release();
    const left = () => readdirSync(join(directory, "roms")).length;
    const sweep = (of: RomFiles, ids: readonly string[]) => of.sweep(() => new Set(ids));
    sweep(roms, [needed.id]);
    assert.equal(left(), 2);
    held.release();
    sweep(roms, [needed.id]);
    assert.equal(left(), 1);
    writeFileSync(join(directory, "roms", `${held.id}.tmp`), "half");
    const again = await RomFiles.open(join(directory, "roms"));
    assert.equal(left(), 1);
    sweep(again, []);
    assert.equal(left(), 0);
    again.sweep(() => assert.fail("nothing is there"));
  });
});

test("what is not what was made is told, and the same files given again mend it", async () => {
  await withRoms(async (roms, directory) => {
    const { id } = await roms.make([file("a", "1")]);
    const path = await roms.verified(id);
    writeFileSync(join(directory, "other"), Buffer.concat([readFileSync(path), Buffer.from("x")]));
    renameSync(join(directory, "other"), path);
    await assert.rejects(roms.verified(id), { code: "rom_unusable", message: /damaged/ });
    rmSync(path);
    await assert.rejects(roms.verified(id), { code: "rom_unusable", message: /gone/ });
    assert.equal((await roms.make([file("a", "1")])).id, id);
    assert.equal(await roms.verified(id), path);
  });
});
