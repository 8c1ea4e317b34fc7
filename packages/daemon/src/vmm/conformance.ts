/** What every driver must do, whatever runs behind it. A driver's test file calls this with its own setup. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { UniError } from "@uni/contract/errors";
import type { BootFiles, Machine, MachineShape, MachineSpec, Vmm } from "./port.ts";

export interface ConformanceSetup {
  readonly boot: BootFiles;
  /** A driver as a newly started daemon makes it; all of them see the same host. */
  newVmm(): Promise<Vmm>;
  /** A machine with disks, network and directory of its own, and a user of its own unless one is given. */
  newSpec(uid?: number): Promise<MachineSpec>;
  /** Fails unless the agent answers. */
  greetAgent(machine: Machine): Promise<void>;
  /** The guest resets itself, as the agent does at a stop. */
  shutDownGuest(machine: Machine): Promise<void>;
  panicGuest(machine: Machine): Promise<void>;
  /** `kill -9` from outside. */
  killVmm(machine: Machine): Promise<void>;
  close(): Promise<void>;
}

export const conformanceShape: MachineShape = { vcpus: 1, memoryMb: 256 };

const never = new AbortController().signal;
const hasCode = (code: string) => (error: unknown) => error instanceof UniError && error.code === code;

export function vmmConformance(name: string, makeSetup: () => Promise<ConformanceSetup>): void {
  describe(`${name} does what the vmm port says`, () => {
    let setup: ConformanceSetup;
    let vmm: Vmm;
    const started: Machine[] = [];

    before(async () => {
      setup = await makeSetup();
      vmm = await setup.newVmm();
    });
    after(async () => {
      for (const machine of started) await machine.kill();
      await setup?.close();
    });

    async function start(spec?: MachineSpec): Promise<{ machine: Machine; spec: MachineSpec }> {
      const wanted = spec ?? (await setup.newSpec());
      const machine = await vmm.start(wanted, never);
      started.push(machine);
      return { machine, spec: wanted };
    }

    /** As after the end of one daemon and the start of another. */
    async function adopt(spec: MachineSpec): Promise<Machine> {
      const machine = await (await setup.newVmm()).adopt(spec.directory);
      assert.ok(machine, "the machine was not found again");
      started.push(machine);
      return machine;
    }

    test("preparing twice at once, and again, is one boot snapshot", async () => {
      const other = await setup.newVmm();
      const both = [vmm, other].map((each) => each.prepare(setup.boot, conformanceShape, never));
      await Promise.all(both);
      await vmm.prepare(setup.boot, conformanceShape, never);
    });

    test("a started machine answers on its agent socket and tells its timings", async () => {
      const { machine } = await start();
      await setup.greetAgent(machine);
      assert.equal(machine.accelerator, vmm.accelerator);
      const { startUs, loadUs, readyUs } = machine.timings ?? assert.fail("no timings");
      assert.ok(startUs >= 0 && startUs <= loadUs && loadUs <= readyUs);
      assert.ok(((await machine.usage())?.rssBytes ?? 0) > 0);
      await machine.kill();
    });

    test("a paused machine goes on where it was", async () => {
      const { machine } = await start();
      await machine.pause();
      await machine.pause();
      await machine.resume();
      await setup.greetAgent(machine);
      await machine.kill();
    });

    test("a guest that shuts down leaves its process and its last words", async () => {
      const { machine } = await start();
      await setup.shutDownGuest(machine);
      assert.deepEqual(await machine.exited, { kind: "guest-shutdown" });
      assert.equal(typeof (await machine.lastWords()), "string");
      assert.ok(await machine.usage(), "the process is gone");
      await assert.rejects(machine.resume(), hasCode("wrong_state"));
      await machine.kill();
      assert.equal(await machine.usage(), undefined);
      assert.deepEqual(await machine.exited, { kind: "guest-shutdown" });
    });

    test("a guest that panics says why, more than once", async () => {
      const { machine } = await start();
      await setup.panicGuest(machine);
      assert.deepEqual(await machine.exited, { kind: "guest-panic" });
      assert.match(await machine.lastWords(), /Kernel panic/);
      assert.match(await machine.lastWords(), /Kernel panic/);
      await machine.kill();
    });

    test("a VMM that dies is told from one that we killed", async () => {
      const { machine: died } = await start();
      await setup.killVmm(died);
      assert.deepEqual(await died.exited, { kind: "vmm-died" });
      assert.equal(await died.usage(), undefined);
      await assert.rejects(died.pause());
      await died.kill();
      const { machine: killed } = await start();
      await killed.kill();
      assert.deepEqual(await killed.exited, { kind: "killed" });
      await killed.kill();
    });

    test("a killed machine leaves its directory and disks free for the next", async () => {
      const { machine, spec } = await start();
      await machine.kill();
      const { machine: next } = await start(spec);
      await setup.greetAgent(next);
      await next.kill();
      assert.ok(!existsSync(join(spec.directory, "run")), "sockets are left");
    });

    test("a released machine runs on, and another daemon adopts it", async () => {
      const { machine, spec } = await start();
      await machine.release();
      const adopted = await adopt(spec);
      assert.deepEqual(adopted.process, machine.process);
      assert.equal(adopted.agentSocket, machine.agentSocket);
      assert.equal(adopted.timings, undefined);
      await setup.greetAgent(adopted);
      await adopted.pause();
      await adopted.resume();
      await adopted.kill();
      assert.deepEqual(await adopted.exited, { kind: "killed" });
    });

    test("a guest that ended while nobody looked is adopted with its exit", async () => {
      const { machine: polite, spec: politeSpec } = await start();
      await setup.shutDownGuest(polite);
      await polite.exited;
      await polite.release();
      const adopted = await adopt(politeSpec);
      assert.deepEqual(await adopted.exited, { kind: "guest-shutdown" });
      await adopted.kill();

      const { machine: failed, spec: failedSpec } = await start();
      await setup.panicGuest(failed);
      await failed.exited;
      await failed.lastWords();
      await failed.release();
      const found = await adopt(failedSpec);
      assert.deepEqual(await found.exited, { kind: "guest-panic" });
      assert.match(await found.lastWords(), /Kernel panic/);
      await found.kill();
    });

    test("an adopted VMM that dies is noticed", async () => {
      const { machine, spec } = await start();
      await machine.release();
      const adopted = await adopt(spec);
      await setup.killVmm(adopted);
      assert.deepEqual(await adopted.exited, { kind: "vmm-died" });
      await adopted.kill();
    });

    test("where no machine is, none is adopted, and the leftovers of a dead one go", async () => {
      const empty = await setup.newSpec();
      assert.equal(await vmm.adopt(empty.directory), undefined);
      const { machine, spec } = await start();
      await machine.release();
      await setup.killVmm(machine);
      assert.equal(await (await setup.newVmm()).adopt(spec.directory), undefined);
      assert.ok(!existsSync(join(spec.directory, "run")), "sockets are left");
    });

    test("one directory and one writable disk belong to one machine at a time", async () => {
      const { machine, spec } = await start();
      await assert.rejects(start(spec), hasCode("in_use"));
      const thief = { ...(await setup.newSpec(spec.uid)), writable: spec.writable };
      await assert.rejects(start(thief), hasCode("in_use"));
      await setup.greetAgent(machine);
      assert.equal(await vmm.adopt(thief.directory), undefined);
      await machine.kill();
    });

    test("an aborted start rejects with the reason and leaves nothing", async () => {
      const spec = await setup.newSpec();
      const reason = new Error("changed my mind");
      await assert.rejects(vmm.start(spec, AbortSignal.abort(reason)), reason);
      const late = new AbortController();
      const starting = vmm.start(spec, late.signal);
      late.abort(reason);
      // Too late to be undone is a machine; anything else is the reason.
      const machine = await starting.catch((error) => assert.equal(error, reason));
      await machine?.kill();
      assert.equal(await vmm.adopt(spec.directory), undefined);
    });

    test("many machines of one snapshot run side by side", async () => {
      const machines = (await Promise.all([start(), start(), start()])).map(({ machine }) => machine);
      for (const machine of machines) await setup.greetAgent(machine);
      assert.equal(new Set(machines.map(({ process }) => process.pid)).size, 3);
      await Promise.all(machines.map((machine) => machine.kill()));
    });
  });
}
