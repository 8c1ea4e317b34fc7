/** What every driver must do for machines that sleep. Beside conformance.ts, with the same setup. */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { type ConformanceSetup, conformanceShape } from "./conformance.ts";
import type { Machine, MachineSpec, Vmm } from "./port.ts";

export interface SleepSetup extends ConformanceSetup {
  /** The guest keeps the text in its memory, and nowhere else. */
  remember(machine: Machine, text: string): Promise<void>;
  recall(machine: Machine): Promise<string>;
  /** Nobody talks to the agent from here on. */
  hangUp(machine: Machine): Promise<void>;
}

const never = new AbortController().signal;
const hasCode = (code: string) => (error: unknown) => error instanceof UniError && error.code === code;

export function sleepConformance(name: string, makeSetup: () => Promise<SleepSetup>): void {
  describe(`${name} puts machines to sleep as the vmm port says`, () => {
    let setup: SleepSetup;
    let vmm: Vmm;
    const started: Machine[] = [];
    const keep = (machine: Machine): Machine => {
      started.push(machine);
      return machine;
    };

    before(async () => {
      setup = await makeSetup();
      vmm = await setup.newVmm();
    });
    after(async () => {
      for (const machine of started) await machine.kill();
      await setup?.close();
    });

    const sleepOf = (spec: MachineSpec) => `${spec.directory}-sleep`;
    const start = async (spec: MachineSpec) => keep(await vmm.start(spec, never));
    const resume = async (spec: MachineSpec, directory = sleepOf(spec)) =>
      keep(await vmm.resume(spec, directory, never));

    async function toDisk(machine: Machine, spec: MachineSpec): Promise<void> {
      await setup.hangUp(machine);
      await machine.pause();
      await machine.suspend(sleepOf(spec), never);
      await machine.kill();
    }

    async function sleeper(text: string): Promise<MachineSpec> {
      const spec = await setup.newSpec();
      const machine = await start(spec);
      await setup.remember(machine, text);
      await toDisk(machine, spec);
      return spec;
    }

    /** The names beside the machine's directory that are not its own. */
    const besides = (spec: MachineSpec) =>
      readdirSync(dirname(spec.directory)).filter((entry) =>
        entry.startsWith(`${sleepOf(spec).split("/").at(-1)}`),
      );

    for (const vcpus of [1, 2]) {
      test(`memory survives generations of sleep, with ${vcpus} vCPUs`, async () => {
        const spec = { ...(await setup.newSpec()), shape: { ...conformanceShape, vcpus } };
        let machine = await start(spec);
        const said: string[] = [];
        for (const text of ["first", "second", "third"]) {
          said.push(text);
          await setup.remember(machine, said.join(" "));
          await toDisk(machine, spec);
          assert.equal(vmm.checkSnapshot(sleepOf(spec)).state, "good");
          machine = await resume(spec);
          assert.equal(machine.paused, true);
          assert.equal(machine.accelerator, vmm.accelerator);
          assert.ok(machine.timings);
          await machine.resume();
          assert.equal(machine.paused, false);
          assert.equal(await setup.recall(machine), said.join(" "));
        }
        await machine.kill();
        assert.deepEqual(besides(spec), besides(spec).slice(0, 1));
      });
    }

    test("what was not touched since the last sleep is in the next one, without the last one's files", async () => {
      const spec = await sleeper("old");
      const first = await resume(spec);
      renameSync(sleepOf(spec), `${sleepOf(spec)}-moved`);
      rmSync(`${sleepOf(spec)}-moved`, { recursive: true });
      await first.suspend(sleepOf(spec), never);
      await first.kill();
      const second = await resume(spec);
      await second.resume();
      assert.equal(await setup.recall(second), "old");
      await second.kill();
    });

    test("a suspended machine can go on, and be suspended again over the first snapshot", async () => {
      const spec = await setup.newSpec();
      const machine = await start(spec);
      await setup.remember(machine, "one");
      await setup.hangUp(machine);
      await machine.pause();
      assert.ok((await machine.suspend(sleepOf(spec), never)).bytes > 0);
      assert.equal(machine.paused, true);
      await machine.resume();
      await setup.remember(machine, "two");
      await toDisk(machine, spec);
      const woken = await resume(spec);
      await woken.resume();
      assert.equal(await setup.recall(woken), "two");
      await woken.kill();
    });

    test("only a paused machine is suspended", async () => {
      const spec = await setup.newSpec();
      const machine = await start(spec);
      assert.equal(machine.paused, false);
      await assert.rejects(machine.suspend(sleepOf(spec), never), hasCode("wrong_state"));
      await setup.shutDownGuest(machine);
      await machine.exited;
      await assert.rejects(machine.suspend(sleepOf(spec), never), hasCode("wrong_state"));
      assert.deepEqual(besides(spec), []);
      await machine.kill();
      await assert.rejects(machine.suspend(sleepOf(spec), never));
    });

    test("an aborted suspension leaves the machine usable, and the disk as it was", async () => {
      const spec = await setup.newSpec();
      const machine = await start(spec);
      await setup.remember(machine, "kept");
      await setup.hangUp(machine);
      await machine.pause();
      const reason = new Error("a packet came");
      await assert.rejects(machine.suspend(sleepOf(spec), AbortSignal.abort(reason)), reason);
      const late = new AbortController();
      const suspending = machine.suspend(sleepOf(spec), late.signal);
      late.abort(reason);
      await assert.rejects(suspending, reason);
      assert.deepEqual(besides(spec), []);
      await machine.resume();
      assert.equal(await setup.recall(machine), "kept");
      await machine.kill();
    });

    test("files that are damaged, cut or gone are told, and nothing is made of them", async () => {
      const spec = await sleeper("whole");
      const whole = sleepOf(spec);
      const damaged = `${whole}-damaged`;
      assert.equal(vmm.checkSnapshot(damaged).state, "missing");
      await assert.rejects(vmm.resume(spec, damaged, never), hasCode("wrong_state"));
      const harms: readonly ((path: string) => void)[] = [
        (path) => rmSync(path),
        (path) => truncateSync(path, readFileSync(path).length >> 1),
        (path) => {
          const bytes = readFileSync(path);
          const middle = bytes.length >> 1;
          bytes[middle] = (bytes[middle] ?? 0) ^ 1;
          writeFileSync(path, bytes);
        },
      ];
      for (const file of readdirSync(whole)) {
        for (const harm of harms) {
          cpSync(whole, damaged, { recursive: true });
          harm(join(damaged, file));
          assert.equal(vmm.checkSnapshot(damaged).state, "corrupt", `${file}: ${harm}`);
          await assert.rejects(vmm.resume(spec, damaged, never), hasCode("wrong_state"));
          rmSync(damaged, { recursive: true });
        }
      }
      assert.equal(await vmm.adopt(spec.directory), undefined);
      const woken = await resume(spec);
      await woken.resume();
      assert.equal(await setup.recall(woken), "whole");
      await woken.kill();
    });

    test("a snapshot fits its own shape only", async () => {
      const spec = await sleeper("");
      const bigger = { ...spec, shape: { ...spec.shape, memoryMb: spec.shape.memoryMb * 2 } };
      await assert.rejects(vmm.resume(bigger, sleepOf(spec), never), hasCode("wrong_state"));
    });

    test("one snapshot is one machine at a time", async () => {
      const spec = await sleeper("mine");
      const machine = await resume(spec);
      await assert.rejects(vmm.resume(spec, sleepOf(spec), never), hasCode("in_use"));
      const thief = { ...(await setup.newSpec(spec.uid)), writable: spec.writable };
      await assert.rejects(async () => {
        const second = keep(await vmm.resume(thief, sleepOf(spec), never));
        await second.resume();
      });
      await machine.resume();
      assert.equal(await setup.recall(machine), "mine");
      await machine.kill();
    });

    test("a paused machine is adopted as paused, sleeps to disk, and its successor is adopted too", async () => {
      const spec = await setup.newSpec();
      const machine = await start(spec);
      await setup.remember(machine, "through it all");
      await setup.hangUp(machine);
      await machine.pause();
      await machine.release();
      const adopted = keep(
        (await (await setup.newVmm()).adopt(spec.directory)) ?? assert.fail("not adopted"),
      );
      assert.equal(adopted.paused, true);
      await adopted.suspend(sleepOf(spec), never);
      await adopted.kill();
      await (await resume(spec)).release();
      const woken = keep((await (await setup.newVmm()).adopt(spec.directory)) ?? assert.fail("not adopted"));
      assert.equal(woken.paused, true);
      await woken.suspend(sleepOf(spec), never);
      await woken.resume();
      assert.equal(await setup.recall(woken), "through it all");
      await woken.kill();
      await (await resume(spec)).kill();
    });

    test("an aborted wake leaves no machine, and the snapshot good", async () => {
      const spec = await sleeper("still here");
      const reason = new Error("not now");
      await assert.rejects(vmm.resume(spec, sleepOf(spec), AbortSignal.abort(reason)), reason);
      const late = new AbortController();
      const waking = vmm.resume(spec, sleepOf(spec), late.signal);
      late.abort(reason);
      const machine = await waking.catch((error) => assert.equal(error, reason));
      await machine?.kill();
      assert.equal(await vmm.adopt(spec.directory), undefined);
      assert.equal(vmm.checkSnapshot(sleepOf(spec)).state, "good");
      await (await resume(spec)).kill();
    });
  });
}
