import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeBacking } from "../host/qcow2.ts";
import { createWritableLayers, type WritableLayers } from "./writable-layer.ts";

const uid = 2 ** 30 + 7;
let directory: string;
let layers: WritableLayers;

before(() => {
  directory = mkdtempSync(join(tmpdir(), "layers-"));
  execFileSync("chmod", ["755", directory]);
  layers = createWritableLayers(join(directory, "disks"), join(directory, "layers"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;
function newDisk(): string {
  const disk = join(directory, `disk${++count}`);
  mkdirSync(disk, { mode: 0o755 });
  return disk;
}

const qemuIo = (path: string, command: string) =>
  execFileSync("qemu-io", ["-f", "qcow2", "-c", command, path], { encoding: "utf8" });
/** One 64 KiB cluster, filled with a byte. */
const write = (path: string, cluster: number, byte: number) =>
  qemuIo(path, `write -P ${byte} ${cluster * 64}k 64k`);
function assertHolds(path: string, bytes: readonly number[]): void {
  for (const [cluster, byte] of bytes.entries()) {
    assert.doesNotMatch(qemuIo(path, `read -P ${byte} ${cluster * 64}k 64k`), /verification failed/);
  }
}

async function prepareNext(disk: string): Promise<{ layer: string; path: string }> {
  const layer = randomUUID();
  return { layer, path: await layers.frozen.prepareNext(disk, uid, layer) };
}

async function freeze(disk: string): Promise<string> {
  const { layer } = await prepareNext(disk);
  await layers.frozen.completeSwitch(disk);
  return layer;
}

test("a disk is frozen under a new overlay, and another stands on the same layer", async () => {
  const disk = newDisk();
  const path = await layers.ensure(disk, uid);
  write(path, 0, 1);
  const next = await prepareNext(disk);
  // The machine writes on until it is switched, and then to the next.
  write(path, 1, 1);
  assertHolds(next.path, [1, 1]);
  write(next.path, 1, 2);
  await layers.frozen.completeSwitch(disk);
  assert.deepEqual(readdirSync(disk), ["writable.qcow2"]);
  assertHolds(path, [1, 2]);
  const frozen = statSync(layers.frozen.pathOf(next.layer));
  assert.deepEqual([frozen.uid, frozen.mode & 0o777], [0, 0o444]);
  assert.deepEqual([statSync(path).uid, statSync(path).mode & 0o777], [uid, 0o600]);
  const clone = await layers.ensure(newDisk(), uid + 1, next.layer);
  assertHolds(clone, [1, 1]);
  write(clone, 0, 3);
  assertHolds(clone, [3, 1]);
  assertHolds(path, [1, 2]);
  execFileSync("qemu-img", ["check", "-q", clone]);
});

test("whoever finds the next overlay completes the switch, whether it was done or not", async () => {
  for (const isSwitched of [false, true]) {
    const disk = newDisk();
    const path = await layers.ensure(disk, uid);
    write(path, 0, 1);
    const next = await prepareNext(disk);
    if (isSwitched) write(next.path, 0, 2);
    assert.equal(await layers.ensure(disk, uid), path);
    assertHolds(path, [isSwitched ? 2 : 1]);
    if (isSwitched) continue;
    // A machine that was never switched goes on below; the next capture freezes that too.
    write(layers.frozen.pathOf(next.layer), 0, 5);
    const second = await prepareNext(disk);
    assert.deepEqual(layers.frozen.chainOf(disk), [second.layer, next.layer]);
    assertHolds(second.path, [5]);
  }
  const disk = newDisk();
  const path = await layers.ensure(disk, uid);
  write(path, 0, 1);
  await prepareNext(disk);
  const again = await prepareNext(disk);
  assertHolds(again.path, [1]);
});

test("a chain is told, folded when it has grown, and what nobody needs can be removed", async () => {
  const disk = newDisk();
  const path = await layers.ensure(disk, uid);
  const ids: string[] = [];
  const expected: number[] = [];
  for (let cluster = 0; cluster < 17; cluster++) {
    write(path, cluster, cluster + 1);
    expected.push(cluster + 1);
    assert.deepEqual(layers.frozen.chainOf(disk), ids);
    assert.equal(await layers.ensure(disk, uid), path);
    ids.unshift(await freeze(disk));
  }
  assert.deepEqual(layers.frozen.chainOf(disk), ids);
  assert.deepEqual(layers.frozen.below(ids[0] ?? ""), ids.slice(1));
  write(path, 0, 77);
  await layers.ensure(disk, uid);
  assert.deepEqual(layers.frozen.chainOf(disk), ids.slice(-4));
  assertHolds(path, [77, ...expected.slice(1)]);
  assert.equal(statSync(path).uid, uid);
  const needed = new Set(layers.frozen.chainOf(disk));
  for (const id of await layers.frozen.list()) if (!needed.has(id)) await layers.frozen.remove(id);
  assert.deepEqual(new Set(await layers.frozen.list()), needed);
  assertHolds(path, [77, ...expected.slice(1)]);
});

test("a chain that would grow without end is refused, with the way out", async () => {
  const disk = newDisk();
  await layers.ensure(disk, uid);
  for (let depth = 0; depth < 64; depth++) await freeze(disk);
  await assert.rejects(prepareNext(disk), { code: "quota_exceeded" });
  await layers.ensure(disk, uid);
  await freeze(disk);
});

test("a live chain that is long is told what to be folded onto, a short one nothing", async () => {
  const disk = newDisk();
  await layers.ensure(disk, uid);
  for (let depth = 0; depth < 8; depth++) await freeze(disk);
  assert.equal(await layers.frozen.foldForMonitor(disk), undefined);
  await freeze(disk);
  const onto = layers.frozen.pathOf(layers.frozen.chainOf(disk).at(-4) ?? "");
  assert.deepEqual(await layers.frozen.foldForMonitor(disk), { path: join(disk, "writable.qcow2"), onto });
});

test("a layer near the ground that holds as much as all over it is not copied", async () => {
  const mib = (depth: number) => (depth === 5 ? 24 : 12);
  // Where the large ones are, from the bottom up, and the ground.
  for (const [depths, ground] of [
    [[], 4],
    [[3], 4],
    [[5], 5],
    [[6], 6],
    [[5, 6], 6],
    [[5, 7], 5],
    [[5, 7, 8], 4],
    [[7], 4],
  ] as const) {
    const disk = newDisk();
    const path = await layers.ensure(disk, uid);
    for (let depth = 1; depth <= 9; depth++) {
      if ((depths as readonly number[]).includes(depth)) qemuIo(path, `write -P 9 0 ${mib(depth)}M`);
      await freeze(disk);
    }
    const onto = layers.frozen.pathOf(layers.frozen.chainOf(disk).at(-ground) ?? "");
    assert.deepEqual(await layers.frozen.foldForMonitor(disk), { path, onto }, `${depths}`);
  }
});

test("a header that names what is not ours is refused, and nothing of it is read or removed", async () => {
  const disk = newDisk();
  const path = await layers.ensure(disk, uid);
  await freeze(disk);
  for (const name of ["/etc/shadow", join(directory, "layers", "..", "disks", `${randomUUID()}.qcow2`)]) {
    writeBacking(path, name);
    await assert.rejects(prepareNext(disk));
    assert.throws(() => layers.frozen.chainOf(disk));
  }
});

test("a layer that is gone is told, and is not taken for a disk without layers", async () => {
  const disk = newDisk();
  await layers.ensure(disk, uid);
  const layer = layers.frozen.pathOf(await freeze(disk));
  renameSync(layer, `${layer}-hidden`);
  assert.throws(() => layers.frozen.chainOf(disk), /ENOENT/);
  assert.deepEqual(layers.frozen.chainOf(newDisk()), []);
  assert.ok(!existsSync(layer));
});
