/** The helper that copies out what a process wrote, without a machine. */
import { enterOwnNamespaces } from "../../../../../test/kit/own-namespaces.ts";

enterOwnNamespaces();

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { runOk } from "../../host/process.ts";

const root = join(import.meta.dirname, "../../../../..");
const pageBytes = 4096;
const mostRuns = 10240;

let directory: string;
let writer: ChildProcess | undefined;

before(() => {
  directory = mkdtempSync(join(tmpdir(), "delta-"));
  execFileSync("make", ["-s", "-C", join(root, "native/vmm")]);
  const source = join(root, "test/kit/vmm/scattered-writer.c");
  execFileSync("cc", ["-O2", "-Wall", "-Werror", "-D_GNU_SOURCE", "-o", join(directory, "writer"), source]);
});
afterEach(() => writer?.kill("SIGKILL"));
after(() => rmSync(directory, { recursive: true, force: true }));

interface Delta {
  readonly pages: Map<number, Buffer>;
  readonly runs: number;
  readonly path: string;
  readonly indexPath: string;
}

async function startWriter(ram: string, every: number): Promise<number> {
  writer = spawn(join(directory, "writer"), [ram, `${every}`], { stdio: ["pipe", "pipe", "inherit"] });
  assert.ok(writer.stdout && writer.pid);
  await once(writer.stdout, "data");
  return writer.pid;
}

function makeRam(pages: number): string {
  const path = join(directory, "ram");
  writeFileSync(path, Buffer.alloc(pages * pageBytes, "r"));
  return path;
}

async function takeDelta(pid: number, ram: string, name: string, oldIndex: string[] = []): Promise<Delta> {
  const [path, indexPath] = [join(directory, `${name}-delta`), join(directory, `${name}-index`)];
  for (const file of [path, indexPath]) writeFileSync(file, "");
  const args = [`${pid}`, `${statSync(ram).size}`, path, indexPath, ...oldIndex];
  const { stdout } = await runOk(join(root, "build/vmm/delta"), args, { timeoutMs: 30_000 });
  const [delta, index] = [readFileSync(path), readFileSync(indexPath)];
  const pages = new Map<number, Buffer>();
  for (let at = 0; at < index.length; at += 8) {
    const [first, count] = [index.readUInt32LE(at), index.readUInt32LE(at + 4)];
    for (let page = first; page < first + count; page++) {
      pages.set(page, delta.subarray(pages.size * pageBytes, (pages.size + 1) * pageBytes));
    }
  }
  assert.equal(pages.size * pageBytes, delta.length);
  assert.equal(Number(stdout.toString()), pages.size);
  return { pages, runs: index.length / 8, path, indexPath };
}

const textOf = (page: Buffer | undefined) => page?.toString("latin1").replace(/\0.*$/s, "");

test("the delta is what was written, and zeros take no room", async () => {
  const ram = makeRam(4000);
  const pid = await startWriter(ram, 4);
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
  const ram = makeRam(1000);
  const pid = await startWriter(ram, 100);
  const old = join(directory, "old-index");
  const runs = new Uint32Array([150, 20, 999, 1]);
  writeFileSync(old, Buffer.from(runs.buffer));
  const { pages } = await takeDelta(pid, ram, "over", [old]);
  for (let page = 150; page < 170; page++) assert.deepEqual(pages.get(page), Buffer.alloc(pageBytes, "r"));
  assert.ok(pages.has(999));
  assert.equal(textOf(pages.get(300)), "page 300");
  writeFileSync(old, Buffer.from(new Uint32Array([999, 2]).buffer));
  await assert.rejects(takeDelta(pid, ram, "over", [old]), /delta: read .*old-index/);
});

test("a machine that wrote everywhere still has few enough runs to be mapped", async () => {
  const ram = makeRam(2 * (mostRuns + 100));
  const pid = await startWriter(ram, 2);
  const { pages, runs } = await takeDelta(pid, ram, "scattered");
  assert.ok(runs <= mostRuns, `${runs} runs`);
  for (let page = 0; page < 2 * (mostRuns + 100); page += 2)
    assert.equal(textOf(pages.get(page)), `page ${page}`);
});

test("a process without such memory, and a full disk, are errors that say so", async () => {
  const ram = makeRam(1000);
  const pid = await startWriter(ram, 2);
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
