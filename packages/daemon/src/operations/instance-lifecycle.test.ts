/** Starting a machine with pretended parts: whichever step fails or is cut short, nothing is left, and it can be repeated. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import type { GuestEvent } from "../guest/port.ts";
import { RomFiles } from "../images/rom-files.ts";
import type { Lifecycle, StartHooks } from "../instances/lifecycle.ts";
import { recordOf } from "../instances/test-records.ts";
import { createFakeVmm } from "../vmm/fake/driver.ts";
import { FakeWorld } from "../vmm/fake/world.ts";
import { type Directories, directoriesBelow } from "./directories.ts";
import { createFakeImages, createFakeNetwork, type FakeNetwork } from "./fake-host.ts";
import { createFakeLayers } from "./fake-layers.ts";
import { createLifecycle } from "./instance-lifecycle.ts";
import { ScriptedGuests } from "./scripted-guests.ts";

/** In their order; each is a call to another room. */
const steps = [
  "sync",
  "resolve image",
  "vmm",
  "kernel",
  "check ports",
  "prepare",
  "layer",
  "attach",
  "start vmm",
  "connect",
  "progress",
  "configure",
] as const;
type Step = (typeof steps)[number];

interface Scene {
  readonly lifecycle: Lifecycle;
  readonly world: FakeWorld;
  readonly guests: ScriptedGuests;
  readonly network: FakeNetwork;
  readonly directories: Directories;
  readonly taken: string[];
  readonly events: GuestEvent[];
  readonly hooks: StartHooks;
  /** Called when a step begins. */
  onStep: (step: string) => void | Promise<void>;
}

async function withLifecycle(body: (scene: Scene) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "lc-"));
  const world = new FakeWorld();
  const guests = new ScriptedGuests(world);
  const network = createFakeNetwork();
  const images = createFakeImages();
  const vmm = createFakeVmm({ clock: systemClock, world });
  const directories = directoriesBelow(directory);
  mkdirSync(directories.machines);
  const taken: string[] = [];
  const events: GuestEvent[] = [];
  const step = async (name: string) => {
    taken.push(name);
    await scene.onStep(name);
  };
  /** The call, after its step. */
  const after =
    <A extends unknown[], R>(name: Step, call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await step(name);
      return call(...args);
    };
  const layers = createFakeLayers(directories.layers);
  const lifecycle = createLifecycle({
    vmm: async () => {
      await step("vmm");
      return { ...vmm, prepare: after("prepare", vmm.prepare), start: after("start vmm", vmm.start) };
    },
    guests: guests.connector(step),
    network: {
      ...network,
      checkPorts: after("check ports", network.checkPorts),
      attach: after("attach", network.attach),
    },
    images: { ...images, resolve: after("resolve image", images.resolve) },
    romFiles: await RomFiles.open(directories.roms),
    layers: { ...layers, ensure: after("layer", layers.ensure) },
    directories,
    log: silentLog,
    clock: systemClock,
    otherAttachments: () => [],
    portsOfAll: () => [],
    currentKernel: after("kernel", async () => ({
      version: "6.1",
      boot: { id: "k", kernelPath: "/nowhere/k", initramfsPath: "/nowhere/i" },
    })),
    kernelOf: async () => ({
      version: "6.1",
      boot: { id: "k", kernelPath: "/nowhere/k", initramfsPath: "/nowhere/i" },
    }),
    noteWake: async () => {},
    windowOf: () => ({ rows: 24, columns: 80 }),
    guestLogOffset: async () => 0,
  });
  const hooks: StartHooks = {
    onEvent: async (event) => void events.push(event),
    onProgress: after("progress", async () => {}),
    synced: after("sync", async () => {}),
  };
  const scene: Scene = {
    lifecycle,
    world,
    guests,
    network,
    directories,
    taken,
    events,
    hooks,
    onStep: () => {},
  };
  try {
    await body(scene);
  } finally {
    for (const process of world.processes) await world.endVmm(process.spec.id);
    rmSync(directory, { recursive: true, force: true });
  }
}

const record = recordOf(1, { request: { args: ["serve"] } });
const never = new AbortController().signal;

function assertNothingLeft({ world, guests, network, directories }: Scene): void {
  assert.deepEqual(world.processes, [], "a machine is left");
  assert.deepEqual([...network.attached.keys()], [], "an attachment is left");
  assert.equal(guests.channels, 0, "a channel is left");
  assert.deepEqual(readdirSync(directories.machines), [], "a machine's directory is left");
}

test("a start takes its steps in order and ends with a configured guest; an end leaves nothing", async () => {
  await withLifecycle(async (scene) => {
    const live = await scene.lifecycle.start(record, "run", scene.hooks, never);
    assert.deepEqual(scene.taken, [...steps]);
    assert.equal(scene.network.attached.size, 1);
    assert.deepEqual(scene.guests.configOf(record.id)?.program.argv, ["serve"]);
    await scene.lifecycle.end(record, live);
    assertNothingLeft(scene);
    await scene.lifecycle.end(record, undefined);
    assert.ok(existsSync(scene.directories.disk(record.id)), "the disk stays until it is erased");
    await scene.lifecycle.erase(record);
    await scene.lifecycle.erase(record);
    assert.equal(existsSync(scene.directories.instance(record.id)), false);
  });
});

for (const failing of steps) {
  test(`a start that fails at '${failing}' leaves nothing, and can be repeated`, async () => {
    await withLifecycle(async (scene) => {
      scene.onStep = (step) => {
        if (step === failing) throw new Error(`no ${step}`);
      };
      const start = scene.lifecycle.start(record, "run", scene.hooks, never);
      await assert.rejects(start, new RegExp(`no ${failing}`));
      assertNothingLeft(scene);
      scene.onStep = () => {};
      const live = await scene.lifecycle.start(record, "run", scene.hooks, never);
      await scene.lifecycle.end(record, live);
      assertNothingLeft(scene);
    });
  });

  test(`a start that is cut short at '${failing}' leaves nothing`, async () => {
    await withLifecycle(async (scene) => {
      const controller = new AbortController();
      scene.onStep = (step) => {
        if (step === failing) controller.abort(new Error("cut short"));
      };
      await assert.rejects(scene.lifecycle.start(record, "run", scene.hooks, controller.signal), /cut short/);
      assertNothingLeft(scene);
    });
  });
}

test("no guest runs before what was written down would survive a power cut", async () => {
  await withLifecycle(async (scene) => {
    const onDisk = Promise.withResolvers<void>();
    const attached = Promise.withResolvers<void>();
    scene.onStep = (step) => {
      if (step === "attach") attached.resolve();
    };
    const hooks = { ...scene.hooks, synced: () => onDisk.promise };
    const start = scene.lifecycle.start(record, "run", hooks, never);
    await attached.promise;
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    assert.deepEqual(scene.world.processes, []);
    onDisk.resolve();
    await scene.lifecycle.end(record, await start);
  });
});

test("a guest that never takes its configuration is given up when the start is cut short", async () => {
  await withLifecycle(async (scene) => {
    const controller = new AbortController();
    const mute = recordOf(1, { request: { args: ["mute"] } });
    const start = scene.lifecycle.start(mute, "run", scene.hooks, controller.signal);
    scene.onStep = (step) => {
      if (step === "configure") setImmediate(() => controller.abort(new Error("no more patience")));
    };
    await assert.rejects(start, /no more patience/);
    assertNothingLeft(scene);
  });
});

test("maintenance publishes no ports and starts no program", async () => {
  await withLifecycle(async (scene) => {
    const published = recordOf(1, { request: { ports: [{ host_port: 80, guest_port: 80 }] } });
    const live = await scene.lifecycle.start(published, "maintenance", scene.hooks, never);
    assert.deepEqual(
      [...scene.network.attached.values()].map(({ ports }) => ports),
      [[]],
    );
    assert.equal(scene.taken.includes("check ports"), false);
    assert.deepEqual(scene.events, []);
    await scene.lifecycle.end(published, live);
    assertNothingLeft(scene);
  });
});

test("a machine that was let go is found again, and tells what nobody had heard", async () => {
  await withLifecycle(async (scene) => {
    const live = await scene.lifecycle.start(record, "run", scene.hooks, never);
    await scene.lifecycle.release(live);
    await scene.guests.end(record.id, 7);
    await scene.network.remove();
    const ended = Promise.withResolvers<GuestEvent>();
    const adopted = await scene.lifecycle.adopt(record, {
      ...scene.hooks,
      onEvent: async (event) => {
        if (event.kind === "exited") ended.resolve(event);
      },
    });
    assert.deepEqual(await ended.promise, { kind: "exited", code: 7, signal: 0, oomKilled: false });
    assert.equal(scene.network.attached.size, 1, "it is attached again");
    await scene.lifecycle.end(record, adopted);
    assertNothingLeft(scene);
  });
});

test("where no machine is any more, adopting finds none and clears what it had", async () => {
  await withLifecycle(async (scene) => {
    const live = await scene.lifecycle.start(record, "run", scene.hooks, never);
    await scene.lifecycle.release(live);
    await scene.world.endVmm(record.id);
    assert.equal(await scene.lifecycle.adopt(record, scene.hooks), undefined);
    assertNothingLeft(scene);
  });
});

test("a machine whose agent cannot be reached is not kept", async () => {
  await withLifecycle(async (scene) => {
    const live = await scene.lifecycle.start(record, "run", scene.hooks, never);
    await scene.lifecycle.release(live);
    scene.onStep = (step) => {
      if (step === "connect") throw new Error("nobody answers");
    };
    assert.equal(await scene.lifecycle.adopt(record, scene.hooks), undefined);
    assertNothingLeft(scene);
  });
});
