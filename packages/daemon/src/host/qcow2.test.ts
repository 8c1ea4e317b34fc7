import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { backingChain, readBacking, writeBacking } from "./qcow2.ts";

let directory: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), "qcow2-"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

function make(name: string, backing?: string): string {
  const path = join(directory, name);
  const over = backing === undefined ? [] : ["-u", "-F", "qcow2", "-b", backing];
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", ...over, path, "1G"]);
  return path;
}

const infoOf = (path: string) =>
  JSON.parse(execFileSync("qemu-img", ["info", "--output=json", path], { encoding: "utf8" }));

test("the name is what qemu-img wrote, and qemu-img reads what we write over it", () => {
  const bottom = make("bottom");
  assert.equal(readBacking(bottom), undefined);
  const top = make("top", bottom);
  assert.equal(readBacking(top), bottom);
  for (const name of ["/x", join("/long", "y".repeat(900)), bottom]) {
    writeBacking(top, name);
    assert.equal(readBacking(top), name);
  }
  assert.equal(infoOf(top)["backing-filename"], bottom);
  assert.equal(infoOf(top)["backing-filename-format"], "qcow2");
  execFileSync("qemu-img", ["check", "-q", top]);
  assert.throws(() => writeBacking(top, "relative"), /no room/);
  assert.throws(() => writeBacking(top, `/${"z".repeat(1023)}`), /no room/);
});

test("a chain ends at what is no qcow2, and one that never ends is refused", () => {
  const raw = join(directory, "raw");
  writeFileSync(raw, "anything");
  const [one, two] = [make("one", raw), make("two", join(directory, "one"))];
  assert.deepEqual(backingChain(two, 2), [one, raw]);
  assert.throws(() => backingChain(two, 1), /more than 1 layers/);
  const circle = make("circle", "/nowhere");
  writeBacking(circle, circle);
  assert.throws(() => backingChain(circle, 100), /more than 100 layers/);
});

test("what is damaged is refused, and nothing is followed or waited for", () => {
  const good = readFileSync(make("good", "/somewhere"));
  const damaged = join(directory, "damaged");
  const harms: readonly ((bytes: Buffer) => void)[] = [
    (bytes) => bytes.writeBigUInt64BE(2n ** 63n, 8),
    (bytes) => bytes.writeBigUInt64BE(1n, 8),
    (bytes) => bytes.writeBigUInt64BE(65_530n, 8),
    (bytes) => bytes.writeUInt32BE(0, 16),
    (bytes) => bytes.writeUInt32BE(2 ** 32 - 1, 16),
    (bytes) => bytes.writeUInt32BE(0, 20),
    (bytes) => bytes.writeUInt32BE(63, 20),
    (bytes) => bytes.fill(0, Number(bytes.readBigUInt64BE(8)), Number(bytes.readBigUInt64BE(8)) + 3),
  ];
  for (const harm of harms) {
    const bytes = Buffer.from(good);
    harm(bytes);
    writeFileSync(damaged, bytes);
    assert.throws(() => readBacking(damaged), /name of its backing file is damaged/, `${harm}`);
  }
  writeFileSync(damaged, good.subarray(0, 80));
  assert.throws(() => readBacking(damaged), /damaged/);
  writeFileSync(damaged, good.subarray(0, 40));
  assert.equal(readBacking(damaged), undefined);
  execFileSync("mkfifo", [join(directory, "pipe")]);
  assert.throws(() => readBacking(join(directory, "pipe")), /it is no file/);
  symlinkSync(damaged, join(directory, "link"));
  assert.throws(() => readBacking(join(directory, "link")), /ELOOP/);
});
