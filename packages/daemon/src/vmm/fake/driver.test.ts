import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { type CaptureSetup, captureConformance } from "../capture-conformance.ts";
import { conformanceShape, vmmConformance } from "../conformance.ts";
import type { Machine, MachineSpec } from "../port.ts";
import { sleepConformance } from "../sleep-conformance.ts";
import { createFakeVmm, type FakeVmm } from "./driver.ts";
import { FakeWorld } from "./world.ts";

const boot = { id: "none", kernelPath: "none", initramfsPath: "none" };

function specIn(directory: string, number: number): MachineSpec {
  return {
    id: `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
    directory: join(directory, `m${number}`),
    uid: 2 ** 30 + number,
    shape: conformanceShape,
    boot,
    root: { path: "root", format: "raw", readOnly: true },
    writable: { path: join(directory, `disk${number}`), format: "qcow2", readOnly: false },
    network: { tap: `tap${number}`, mac: "02:00:00:00:00:01" },
    roms: [],
  };
}

function ask(path: string, question: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = createConnection({ path }, () => socket.write(question));
  socket.once("error", reject);
  socket.once("data", (bytes) => {
    resolve(bytes.toString());
    socket.destroy();
  });
  return promise;
}

async function makeSetup(): Promise<CaptureSetup> {
  const directory = mkdtempSync(join(tmpdir(), "fake-"));
  const world = new FakeWorld();
  const vmm: FakeVmm = createFakeVmm({ clock: systemClock, world });
  let count = 0;
  const diskOf = ({ process }: Machine) =>
    world.processes.find(({ identity }) => identity.pid === process.pid)?.disk ?? assert.fail("no process");
  const newSpec = (): MachineSpec => {
    const spec = specIn(directory, ++count);
    writeFileSync(spec.writable.path, "");
    return spec;
  };
  const idOf = (pid: number) => world.processes.find(({ identity }) => identity.pid === pid)?.spec.id ?? "";
  return {
    boot,
    newVmm: async () =>
      createFakeVmm({
        clock: systemClock,
        world,
        onConnect: (socket) => socket.on("data", (bytes) => socket.write(`you said ${bytes}`)),
      }),
    newSpec: async () => newSpec(),
    async greetAgent({ agentSocket }) {
      assert.equal(await ask(agentSocket, "hello"), "you said hello");
    },
    shutDownGuest: async ({ process }) => vmm.shutDownGuest(idOf(process.pid)),
    panicGuest: async ({ process }) => vmm.panicGuest(idOf(process.pid)),
    killVmm: ({ process }) => vmm.killVmm(idOf(process.pid)),
    remember: async ({ process }, text) => world.remember(idOf(process.pid), text),
    recall: async ({ process }) => world.recall(idOf(process.pid)),
    hangUp: async () => {},
    store: async (machine, text) => writeFileSync(diskOf(machine), text),
    load: async (machine) => readFileSync(diskOf(machine), "utf8"),
    async prepareNext({ writable }) {
      const [disk, path] = [`${writable.path}-layer${++count}`, `${writable.path}-next`];
      copyFileSync(writable.path, disk);
      copyFileSync(writable.path, path);
      return { disk, nextDisk: { ...writable, path } };
    },
    async completeSwitch({ writable }) {
      renameSync(`${writable.path}-next`, writable.path);
      for (const process of world.processes) {
        if (process.disk === `${writable.path}-next`) process.disk = writable.path;
      }
    },
    async cloneSpec(disk) {
      const spec = newSpec();
      copyFileSync(disk, spec.writable.path);
      return spec;
    },
    close: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

vmmConformance("the fake driver", makeSetup);
sleepConformance("the fake driver", makeSetup);
captureConformance("the fake driver", makeSetup);

test("the fake fails a start when told to, once", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fake-"));
  const vmm = createFakeVmm({ clock: systemClock });
  const signal = new AbortController().signal;
  vmm.failNextStart(new Error("no luck"));
  await assert.rejects(vmm.start(specIn(directory, 1), signal), /no luck/);
  const machine = await vmm.start(specIn(directory, 1), signal);
  assert.equal(vmm.world.processes.length, 1);
  await machine.kill();
  assert.equal(vmm.world.processes.length, 0);
  rmSync(directory, { recursive: true, force: true });
});

test("the fake fails a suspension or a wake when told to, and holds suspensions until they are aborted", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fake-"));
  const vmm = createFakeVmm({ clock: systemClock });
  const signal = new AbortController().signal;
  const spec = specIn(directory, 1);
  const sleep = join(directory, "sleep");
  const machine = await vmm.start(spec, signal);
  await machine.pause();
  vmm.failNextSuspend(new Error("no room"));
  await assert.rejects(machine.suspend(sleep, signal), /no room/);
  const release = vmm.holdSnapshots();
  const packet = new AbortController();
  const held = machine.suspend(sleep, packet.signal);
  packet.abort(new Error("a packet came"));
  await assert.rejects(held, /a packet came/);
  assert.equal(vmm.checkSnapshot(sleep).state, "missing");
  const released = machine.suspend(sleep, signal);
  release();
  await released;
  await machine.kill();
  vmm.failNextResume(new Error("no luck"));
  await assert.rejects(vmm.resume(spec, sleep, signal), /no luck/);
  await (await vmm.resume(spec, sleep, signal)).kill();
  rmSync(directory, { recursive: true, force: true });
});
