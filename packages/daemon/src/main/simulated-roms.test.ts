/** ROMs on a node of pretended machines, through the socket. */
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { until } from "../../../../test/kit/until.ts";
import { directoriesBelow } from "../operations/directories.ts";
import { withDaemon } from "./simulated-daemon.ts";
import { type SimulatedDaemon, type SimulatedHost, startDaemon, withHost } from "./simulated-node.ts";

const run = (daemon: SimulatedDaemon, name: string, more: object = {}) =>
  daemon.call("VM.Run", { image: "hello", name, wait_s: 20, args: ["serve"], ...more });

const files = (name: string, data: string, at?: string) => ({ name, at, files: [{ path: "text", data }] });

const change = (daemon: SimulatedDaemon, id: string, op: string, value: unknown) =>
  daemon.call("VM.Update", { id, updates: [{ prop: "roms", op, value }] });

const madeOfFiles = ({ directory }: SimulatedHost): string[] => readdirSync(directoriesBelow(directory).roms);

/** By name: where the guest has it, and the file of its disk. */
function romsOf(host: SimulatedHost, id: string) {
  const disks = host.world.processes.find(({ spec }) => spec.id === id)?.spec.roms ?? [];
  const told = host.guests.romsOf(id).map(({ name, at, slot }) => {
    const disk = disks.find((each) => each.slot === slot);
    assert.ok(disk !== undefined, `ROM ${name} is no disk of its machine`);
    return [name, { at, slot, path: disk.path }] as const;
  });
  return new Map(told);
}

test("an instance has its ROMs; what is alike is there once, and goes with the last that needs it", async () => {
  await withDaemon(async (daemon, host) => {
    const roms = [files("code", "x", "/code"), { name: "base", image: "hello" }];
    const web = await run(daemon, "web", { roms });
    const twin = await run(daemon, "twin", { roms: [files("other", "x")] });
    const has = romsOf(host, web.id);
    assert.equal(has.get("code")?.at, "/code");
    assert.equal(has.get("base")?.at, undefined);
    assert.equal(romsOf(host, twin.id).get("other")?.path, has.get("code")?.path);
    const shown = (await daemon.call("VM.Inspect", { id: "web" })).roms;
    assert.deepEqual(shown[0], { name: "code", at: "/code", files: [{ path: "text", size_bytes: 1 }] });
    assert.match(shown[1].image, /^hello@sha256:/);
    const { kinds } = await daemon.call("Daemon.DiskUsage");
    assert.equal(kinds.find(({ kind }: { kind: string }) => kind === "roms").count, 1);
    await daemon.call("VM.Remove", { id: "web", force: true });
    assert.equal(madeOfFiles(host).length, 1);
    await daemon.call("VM.Remove", { id: "twin", force: true });
    assert.deepEqual(madeOfFiles(host), []);
  });
});

test("a clone has a ROM of its own beside those of its template, whose memory knows its own slots", async () => {
  await withDaemon(async (daemon, host) => {
    await run(daemon, "base", { roms: [files("code", "v1", "/code"), files("data", "none", "/data")] });
    await daemon.call("createTemplateInstances", { body: [{ name: "base", timeout_s: -1 }] });
    const clones = await Promise.all(
      ["one", "two"].map((name) =>
        daemon.call("VM.Run", { template: "base", name, wait_s: 20, roms: [files("data", name, "/data")] }),
      ),
    );
    for (const { id } of clones) {
      await until("it has become itself", () => host.guests.becomingOf(id) !== undefined);
    }
    const [one, two] = clones.map(({ id }) => romsOf(host, id));
    assert.equal(one?.get("code")?.path, two?.get("code")?.path);
    assert.notEqual(one?.get("data")?.path, two?.get("data")?.path);
    // What the template's memory calls slot 1 is still there, and another one holds what is new.
    assert.deepEqual([one?.get("code")?.slot, one?.get("data")?.slot], [0, 2]);
    assert.equal(madeOfFiles(host).length, 4);
    await daemon.call("deleteTemplateInstances", { body: [{ name: "base" }] });
    const [copy] = await daemon.call("VM.Branch", { ids: ["one"], suffix: "copy" });
    assert.equal(romsOf(host, copy.id).get("data")?.path, one?.get("data")?.path);
    for (const id of ["one", "two", "one-copy"]) await daemon.call("VM.Remove", { id, force: true });
    assert.deepEqual(madeOfFiles(host), []);
  });
});

for (const deep of [false, true]) {
  test(`a change waits for the next wake, ${deep ? "from the disk" : "also of one that is only paused"}`, async () => {
    await withDaemon(async (daemon, host) => {
      const web = await run(daemon, "web", { roms: [files("code", "v1", "/code")] });
      host.world.remember(web.id, "n=7");
      for (const version of ["v2", "v3", "v4"]) {
        const before = romsOf(host, web.id).get("code");
        const vm = await change(daemon, "web", "add", [files("code", version, "/code")]);
        assert.equal(vm.updates.length, 1);
        assert.equal(romsOf(host, web.id).get("code")?.path, before?.path);
        await daemon.call("VM.Suspend", { id: "web" });
        if (deep) await until("it sleeps on disk", () => host.world.processes.length === 0);
        await daemon.call("VM.Start", { id: "web" });
        const after = romsOf(host, web.id).get("code");
        assert.notEqual(after?.path, before?.path);
        assert.notEqual(after?.slot, before?.slot);
        const disks = host.world.processes.find(({ spec }) => spec.id === web.id)?.spec.roms;
        assert.equal(disks?.find(({ slot }) => slot === before?.slot)?.path, before?.path);
        assert.equal(host.world.recall(web.id), "n=7");
        assert.equal((await daemon.call("VM.Inspect", { id: "web" })).updates, undefined);
        assert.equal(madeOfFiles(host).length, 1);
      }
      await change(daemon, "web", "del", ["code"]);
      await daemon.call("VM.Stop", { id: "web" });
      assert.deepEqual(madeOfFiles(host), []);
      assert.equal((await daemon.call("VM.Inspect", { id: "web" })).roms, undefined);
    });
  });
}

for (const deep of [false, true]) {
  test(`a new ROM that cannot be mounted leaves the former one and the memory, ${deep ? "from the disk" : "also of one that is only paused"}`, async () => {
    await withDaemon(async (daemon, host) => {
      const web = await run(daemon, "web", { roms: [files("code", "v1", "/code")] });
      host.world.remember(web.id, "n=7");
      const before = romsOf(host, web.id);
      await change(daemon, "web", "add", [files("bad", "x", "/bad")]);
      host.guests.badRoms.add("bad");
      await daemon.call("VM.Suspend", { id: "web" });
      if (deep) await until("it sleeps on disk", () => host.world.processes.length === 0);
      await daemon.call("VM.Start", { id: "web" });
      assert.equal(host.world.recall(web.id), "n=7");
      assert.deepEqual(romsOf(host, web.id), before);
      const { updates, roms } = await daemon.call("VM.Inspect", { id: "web" });
      assert.equal(updates[0].status, "failed");
      assert.match(updates[0].error, /ROMs.*mount \(EROFS\) the ROM bad/);
      assert.deepEqual(
        roms.map(({ name }: { name: string }) => name),
        ["code"],
      );
      assert.equal(madeOfFiles(host).length, 1);
      host.guests.badRoms.clear();
      await change(daemon, "web", "add", [files("bad", "x", "/bad")]);
      await daemon.call("VM.Suspend", { id: "web" });
      await daemon.call("VM.Start", { id: "web" });
      assert.equal(romsOf(host, web.id).get("bad")?.at, "/bad");
      assert.equal((await daemon.call("VM.Inspect", { id: "web" })).updates, undefined);
    });
  });
}

test("a damaged file of a ROM is named, with two ways out, and costs no memory", async () => {
  await withDaemon(async (daemon, host) => {
    const web = await run(daemon, "web", { roms: [files("code", "v1", "/code")] });
    host.world.remember(web.id, "n=7");
    const damage = () => {
      for (const name of madeOfFiles(host)) {
        writeFileSync(join(directoriesBelow(host.directory).roms, name), "other");
      }
    };
    for (const [op, value] of [
      ["add", [files("code", "v1", "/code")]],
      ["del", ["code"]],
    ] as const) {
      await daemon.call("VM.Suspend", { id: "web" });
      await until("it sleeps on disk", () => host.world.processes.length === 0);
      damage();
      await assert.rejects(
        daemon.call("VM.Start", { id: "web" }),
        (error: UniError) => error.code === "rom_unusable" && /--rm-rom code/.test(error.hint ?? ""),
      );
      assert.equal((await daemon.call("VM.Inspect", { id: "web" })).state, "standby");
      await change(daemon, "web", op, value);
      await daemon.call("VM.Start", { id: "web" });
      assert.equal(host.world.recall(web.id), "n=7");
      assert.equal(romsOf(host, web.id).has("code"), op === "add");
    }
  });
});

test("a sleeper wakes with its ROMs under another daemon, and one that goes back has those of then", async () => {
  await withHost(async (host) => {
    const first = await startDaemon(host);
    const web = await run(first, "web", { roms: [files("code", "v1", "/code")] });
    await first.call("VM.Checkpoint", { ids: ["web"], name: "then" });
    const before = romsOf(host, web.id).get("code");
    await change(first, "web", "set", [files("code", "v2", "/code")]);
    await first.call("VM.Suspend", { id: "web" });
    await first.close();
    const second = await startDaemon(host);
    try {
      await second.recovered;
      await second.call("VM.Start", { id: "web" });
      assert.notEqual(romsOf(host, web.id).get("code")?.path, before?.path);
      await second.call("VM.Rewind", { rewinds: [{ id: "web", checkpoint: "then" }] });
      assert.deepEqual(romsOf(host, web.id).get("code"), before);
    } finally {
      await second.close();
    }
  });
});

test("more ROMs than an instance may have are refused, also together with those of a template", async () => {
  await withDaemon(async (daemon, host) => {
    const many = (prefix: string, count: number) =>
      Array.from({ length: count }, (_, index) => files(`${prefix}${index}`, "x"));
    await run(daemon, "base", { roms: many("a", 5) });
    await assert.rejects(change(daemon, "base", "set", many("b", 9)), { code: "too_many" });
    await daemon.call("createTemplateInstances", { body: [{ name: "base", timeout_s: -1 }] });
    await assert.rejects(daemon.call("VM.Run", { template: "base", roms: many("b", 4) }), {
      code: "too_many",
    });
    await daemon.call("VM.Run", { template: "base", name: "c", wait_s: 20, roms: many("b", 3) });
    assert.equal(madeOfFiles(host).length, 1);
  });
});
