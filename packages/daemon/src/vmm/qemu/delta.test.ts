/** The helper that copies out what a process wrote, without a machine. */
import { enterOwnNamespaces } from "../../../../../test/kit/own-namespaces.ts";

enterOwnNamespaces();

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import {
  buildWriter,
  type Delta,
  indexOf,
  makeRam,
  mostRuns,
  nativeProgram,
  pageBytes,
  readDelta,
  startWriter,
  textOf,
  type Writer,
} from "../../../../../test/kit/vmm/scattered-writer.ts";
import { runOk } from "../../host/process.ts";

let directory: string;
let writer: Writer | undefined;

before(() => {
  directory = mkdtempSync(join(tmpdir(), "delta-"));
  buildWriter(directory);
});
afterEach(() => writer?.end());
after(() => rmSync(directory, { recursive: true, force: true }));

async function startOne(ram: string, every: number): Promise<number> {
  writer = await startWriter(directory, ram, every);
  return writer.pid;
}

async function takeDelta(
  pid: number,
  ram: string,
  name: string,
  oldIndex: string[] = [],
): Promise<Delta & { readonly path: string }> {
  const [path, indexPath] = [join(directory, `${name}-delta`), join(directory, `${name}-index`)];
  for (const file of [path, indexPath]) writeFileSync(file, "");
  const args = [`${pid}`, `${statSync(ram).size}`, path, indexPath, ...oldIndex];
  const { stdout } = await runOk(nativeProgram("delta"), args, { timeoutMs: 30_000 });
  const delta = readDelta(path, indexPath);
  assert.equal(Number(stdout.toString()), delta.pages.size);
  return { ...delta, path };
}

test("the delta is what was written, and zeros take no room", async () => {
  const ram = makeRam(directory, 4000);
  const pid = await startOne(ram, 4);
  const { pages, path } = await takeDelta(pid, ram, "plain");
  const written = Array.from({ length: 4000 }, (_, page) => page).filter((page) => page % 4 === 0);
  const zeroed = Array.from({ length: 125 }, (_, number) => number * 32 + 1);
  assert.deepEqual(
    [...pages.keys()].sort((a, b) => a - b),
    [...written, ...zeroed].sort((a, b) => a - b),
  );
  for (const page of written) assert.equal(textOf(pages.get(page)), `page ${page}`);
  for (const page of zeroed) assert.deepEqual(pages.get(page), Buffer.alloc(pageBytes));
  assert.ok(statSync(path).blocks * 512 <= written.length * pageBytes + 65536, "zeros were written");
});

test("pages of the old index are in the new delta, whoever wrote them", async () => {
  const ram = makeRam(directory, 1000);
  const pid = await startOne(ram, 100);
  const old = join(directory, "old-index");
  writeFileSync(
    old,
    indexOf([
      [150, 20],
      [999, 1],
    ]),
  );
  const { pages } = await takeDelta(pid, ram, "over", [old]);
  for (let page = 150; page < 170; page++) assert.deepEqual(pages.get(page), Buffer.alloc(pageBytes, "r"));
  assert.ok(pages.has(999));
  assert.equal(textOf(pages.get(300)), "page 300");
  writeFileSync(old, indexOf([[999, 2]]));
  await assert.rejects(takeDelta(pid, ram, "over", [old]), /delta: read .*old-index/);
});

test("a machine that wrote everywhere still has few enough runs to be mapped", async () => {
  const ram = makeRam(directory, 2 * (mostRuns + 100));
  const pid = await startOne(ram, 2);
  const { pages, runs } = await takeDelta(pid, ram, "scattered");
  assert.ok(runs <= mostRuns, `${runs} runs`);
  for (let page = 0; page < 2 * (mostRuns + 100); page += 2)
    assert.equal(textOf(pages.get(page)), `page ${page}`);
});

test("a process without such memory, and a full disk, are errors that say so", async () => {
  const ram = makeRam(directory, 1000);
  const pid = await startOne(ram, 2);
  const full = join(directory, "full");
  mkdirSync(full);
  const other = join(directory, "other");
  writeFileSync(other, Buffer.alloc(pageBytes * 77));
  await assert.rejects(takeDelta(pid, other, "none"), /find the machine's memory/);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", full]);
  try {
    await assert.rejects(takeDelta(pid, ram, "full/x"), /No space left on device/);
  } finally {
    execFileSync("umount", [full]);
  }
});
