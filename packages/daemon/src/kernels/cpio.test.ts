import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runOk } from "../host/process.ts";
import { type CpioEntry, writeCpio } from "./cpio.ts";

const entries: readonly CpioEntry[] = [
  { path: "init", content: Buffer.from("#!agent"), mode: 0o755 },
  { path: "modules", directory: true, mode: 0o755 },
  { path: "modules/order", content: Buffer.from("a.ko\nb.ko\n"), mode: 0o644 },
  { path: "modules/a.ko", content: Buffer.alloc(4097, 7), mode: 0o600 },
  { path: "empty", content: Buffer.alloc(0), mode: 0o644 },
];

test("cpio itself unpacks the archive to the same files and modes", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "uni-cpio-"));
  t.after(() => rm(directory, { recursive: true }));
  await runOk("cpio", ["-i", "-d", "--quiet"], { stdin: writeCpio(entries), cwd: directory });
  for (const entry of entries) {
    const { mode } = await stat(join(directory, entry.path));
    assert.equal(mode & 0o777, entry.mode, entry.path);
    if ("content" in entry) assert.deepEqual(await readFile(join(directory, entry.path)), entry.content);
  }
});

test("the same entries give the same bytes, and every record starts at a multiple of four", () => {
  const archive = writeCpio(entries);
  assert.deepEqual(writeCpio(entries), archive);
  for (let at = archive.indexOf("070701"); at >= 0; at = archive.indexOf("070701", at + 6)) {
    assert.equal(at % 4, 0);
  }
});

for (const path of ["", "/etc/passwd", "a\0b"]) {
  test(`refuses the path ${JSON.stringify(path)}`, () => {
    assert.throws(() => writeCpio([{ path, content: Buffer.alloc(0), mode: 0o644 }]), RangeError);
  });
}
