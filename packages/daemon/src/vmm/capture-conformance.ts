/** What every driver must do for captures and the machines made of them. Beside sleep-conformance.ts, with the same setup. */
import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { conformanceShape } from "./conformance.ts";
import type { Capture, CaptureTarget, Machine, MachineSpec, Vmm } from "./port.ts";
import type { SleepSetup } from "./sleep-conformance.ts";

export interface CaptureSetup extends SleepSetup {
  /** A file on the writable disk that holds the text. */
  store(machine: Machine, text: string): Promise<void>;
  load(machine: Machine): Promise<string>;
  /** An empty overlay for a machine to go on with, over the layer that it has written until then. */
  prepareNext(spec: MachineSpec): Promise<Pick<CaptureTarget, "disk" | "nextDisk">>;
  /** The machine's disk has its old path again; once it was taken, or abandoned. */
  completeSwitch(spec: MachineSpec): Promise<void>;
  /** Another machine's, its disk an overlay over the layer. */
  cloneSpec(disk: string): Promise<MachineSpec>;
}

const never = new AbortController().signal;
const hasCode = (code: string) => (error: unknown) => error instanceof UniError && error.code === code;

export function captureConformance(name: string, makeSetup: () => Promise<CaptureSetup>): void {
  describe(`${name} captures machines as the vmm port says`, () => {
    let setup: CaptureSetup;
    let vmm: Vmm;
    let snapshots = 0;
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

    interface Running {
      readonly spec: MachineSpec;
      readonly machine: Machine;
    }

    async function start(memory: string, disk: string, vcpus = 1): Promise<Running> {
      const spec = { ...(await setup.newSpec()), shape: { ...conformanceShape, vcpus } };
      const machine = keep(await vmm.start(spec, never));
      await tell(machine, memory, disk);
      return { spec, machine };
    }

    async function tell(machine: Machine, memory: string, disk: string): Promise<void> {
      await setup.remember(machine, memory);
      await setup.store(machine, disk);
    }

    async function assertHolds(machine: Machine, memory: string, disk: string): Promise<void> {
      assert.deepEqual([await setup.recall(machine), await setup.load(machine)], [memory, disk]);
    }

    async function begin({ spec, machine }: Running): Promise<{ capture: Capture; target: CaptureTarget }> {
      const directory = join(dirname(spec.directory), `snapshot${++snapshots}`);
      const target = { directory, ...(await setup.prepareNext(spec)) };
      return { target, capture: await machine.capture(target, never) };
    }

    async function captured(running: Running): Promise<CaptureTarget> {
      const { capture, target } = await begin(running);
      const { machine, spec } = running;
      const wasPaused = machine.paused;
      if (!wasPaused) await machine.pause();
      await capture.take(never);
      assert.equal(machine.paused, true);
      if (!wasPaused) await machine.resume();
      const { bytes } = await capture.publish(never);
      assert.ok(bytes > 0);
      await capture.abandon();
      await setup.completeSwitch(spec);
      assert.equal(vmm.checkSnapshot(target.directory).state, "good");
      assert.equal(vmm.snapshotFacts(target.directory)?.disk, target.disk);
      return target;
    }

    async function cloneOf({ directory, disk }: CaptureTarget, vcpus = 1): Promise<Running> {
      const spec = { ...(await setup.cloneSpec(disk)), shape: { ...conformanceShape, vcpus } };
      const machine = keep(await vmm.resume(spec, directory, never));
      assert.equal(machine.paused, true);
      await machine.resume();
      return { spec, machine };
    }

    async function toDisk({ machine, spec }: Running): Promise<string> {
      const sleep = `${spec.directory}-sleep`;
      await setup.hangUp(machine);
      await machine.pause();
      await machine.suspend(sleep, never);
      await machine.kill();
      return sleep;
    }

    async function wake(spec: MachineSpec, sleep: string): Promise<Running> {
      const machine = keep(await vmm.resume(spec, sleep, never));
      await machine.resume();
      return { machine, spec };
    }

    const besides = ({ directory }: CaptureTarget) =>
      readdirSync(dirname(directory)).filter((entry) => entry.startsWith(basename(directory)));

    test("a clone has memory and disk of that instant; it and its source go on apart", async () => {
      const source = await start("shared", "shared");
      const snapshot = await captured(source);
      await assertHolds(source.machine, "shared", "shared");
      await tell(source.machine, "of the source", "of the source");
      const clones = await Promise.all([cloneOf(snapshot), cloneOf(snapshot)]);
      for (const { machine } of clones) await assertHolds(machine, "shared", "shared");
      for (const [number, { machine }] of clones.entries())
        await tell(machine, `${number}`, `disk ${number}`);
      await assertHolds(source.machine, "of the source", "of the source");
      for (const [number, { machine }] of clones.entries()) {
        await assertHolds(machine, `${number}`, `disk ${number}`);
        await machine.kill();
      }
      await source.machine.kill();
      const late = await cloneOf(snapshot);
      await assertHolds(late.machine, "shared", "shared");
      await late.machine.kill();
      const again = keep(await vmm.start(source.spec, never));
      await setup.greetAgent(again);
      await again.kill();
    });

    test("with two processors, too", async () => {
      const source = await start("two", "two", 2);
      const clone = await cloneOf(await captured(source), 2);
      await assertHolds(clone.machine, "two", "two");
      await assertHolds(source.machine, "two", "two");
      for (const { machine } of [clone, source]) await machine.kill();
    });

    test("clones of clones: a snapshot stands on one other at most", async () => {
      const generations = [await start("first", "first")];
      const targets: CaptureTarget[] = [];
      for (const text of ["second", "third", "fourth"]) {
        const parent = generations.at(-1) ?? assert.fail();
        const target = await captured(parent);
        targets.push(target);
        const clone = await cloneOf(target);
        await tell(clone.machine, text, text);
        generations.push(clone);
      }
      const [one, two, three] = targets.map(({ directory }) => directory);
      assert.deepEqual(
        targets.map(({ directory }) => vmm.snapshotFacts(directory)?.standsOn),
        [undefined, one, undefined],
      );
      for (const [at, text] of ["first", "second", "third", "fourth"].entries()) {
        const { machine } = generations[at] ?? assert.fail();
        await assertHolds(machine, text, text);
        await machine.kill();
      }
      rmSync(one ?? "", { recursive: true });
      assert.equal(vmm.checkSnapshot(two ?? "").state, "corrupt");
      assert.equal(vmm.checkSnapshot(three ?? "").state, "good");
      const flat = await cloneOf(targets[2] ?? assert.fail());
      await assertHolds(flat.machine, "third", "third");
      await flat.machine.kill();
    });

    test("a clone sleeps and wakes on what it came from, and is captured again", async () => {
      const source = await start("kept", "kept");
      const snapshot = await captured(source);
      await source.machine.kill();
      let clone = await cloneOf(snapshot);
      for (const text of ["one", "two"]) {
        await tell(clone.machine, text, text);
        const sleep = await toDisk(clone);
        assert.equal(vmm.checkSnapshot(sleep).state, "good");
        const facts = { disk: undefined, standsOn: snapshot.directory };
        assert.deepEqual(vmm.snapshotFacts(sleep), facts);
        clone = await wake(clone.spec, sleep);
        await assertHolds(clone.machine, text, text);
      }
      const second = await captured(clone);
      assert.equal(vmm.snapshotFacts(second.directory)?.standsOn, snapshot.directory);
      const grandchild = await cloneOf(second);
      await assertHolds(grandchild.machine, "two", "two");
      await grandchild.machine.kill();
      const sleep = await toDisk(clone);
      rmSync(snapshot.directory, { recursive: true });
      assert.equal(vmm.checkSnapshot(sleep).state, "corrupt");
      await assert.rejects(vmm.resume(clone.spec, sleep, never), hasCode("wrong_state"));
    });

    test("a source that is captured still sleeps and wakes", async () => {
      const source = await start("one", "one");
      const snapshot = await captured(source);
      await tell(source.machine, "two", "two");
      const sleep = await toDisk(source);
      const woken = await wake(source.spec, sleep);
      await assertHolds(woken.machine, "two", "two");
      const third = await captured(woken);
      await woken.machine.kill();
      for (const [target, text] of [[snapshot, "one"] as const, [third, "two"] as const]) {
        const clone = await cloneOf(target);
        await assertHolds(clone.machine, text, text);
        await clone.machine.kill();
      }
    });

    test("only a paused machine is taken, one capture at a time; an abandoned one leaves nothing", async () => {
      const source = await start("mine", "mine");
      const { spec, machine } = source;
      const { capture, target } = await begin(source);
      await assert.rejects(capture.take(never), hasCode("wrong_state"));
      await assert.rejects(capture.publish(never), hasCode("wrong_state"));
      await assert.rejects(machine.capture(target, never), hasCode("wrong_state"));
      await machine.pause();
      const reason = new Error("not now");
      await assert.rejects(capture.take(AbortSignal.abort(reason)), reason);
      await capture.abandon();
      await capture.abandon();
      assert.deepEqual(besides(target), []);
      await machine.resume();
      await setup.completeSwitch(spec);
      await tell(machine, "still mine", "still mine");
      const snapshot = await captured(source);
      await assert.rejects(
        machine.capture({ ...snapshot, ...(await setup.prepareNext(spec)) }, never),
        hasCode("wrong_state"),
      );
      const clone = await cloneOf(snapshot);
      await assertHolds(clone.machine, "still mine", "still mine");
      for (const each of [clone.machine, machine]) await each.kill();
    });

    test("a capture is aborted before it began, or while it is published, and published again", async () => {
      const source = await start("mine", "mine");
      const { spec, machine } = source;
      const reason = new Error("not now");
      const next = await setup.prepareNext(spec);
      const directory = join(dirname(spec.directory), `snapshot${++snapshots}`);
      const target = { directory, ...next };
      await assert.rejects(machine.capture(target, AbortSignal.abort(reason)), reason);
      const capture = await machine.capture(target, never);
      await machine.pause();
      await capture.take(never);
      await assert.rejects(capture.take(never), hasCode("wrong_state"));
      await assert.rejects(capture.publish(AbortSignal.abort(reason)), reason);
      assert.equal(existsSync(directory), false);
      await machine.kill();
      await capture.publish(never);
      await setup.completeSwitch(spec);
      assert.deepEqual(besides(target), [basename(directory)]);
      const clone = await cloneOf(target);
      await assertHolds(clone.machine, "mine", "mine");
      await clone.machine.kill();
    });

    test("a guest that has ended is not captured, and one that is gone neither", async () => {
      const source = await start("", "");
      const { machine, spec } = source;
      await setup.shutDownGuest(machine);
      await machine.exited;
      await assert.rejects(begin(source), hasCode("wrong_state"));
      await machine.kill();
      await setup.completeSwitch(spec);
      await assert.rejects(begin(source));
      await setup.completeSwitch(spec);
      const dying = await start("", "");
      const { capture, target } = await begin(dying);
      await dying.machine.pause();
      await setup.killVmm(dying.machine);
      await dying.machine.exited;
      await assert.rejects(capture.take(never));
      await capture.abandon();
      assert.deepEqual(besides(target), []);
      await dying.machine.kill();
      await setup.completeSwitch(dying.spec);
      const again = keep(await vmm.start(dying.spec, never));
      await setup.greetAgent(again);
      await again.kill();
    });

    test("a machine that an earlier daemon left is captured, running or paused", async () => {
      const source = await start("old", "old");
      await setup.hangUp(source.machine);
      await source.machine.pause();
      await source.machine.release();
      const adopted = keep(
        (await (await setup.newVmm()).adopt(source.spec.directory)) ?? assert.fail("not adopted"),
      );
      const first = await captured({ ...source, machine: adopted });
      assert.equal(adopted.paused, true);
      await adopted.resume();
      await adopted.release();
      const again = keep(
        (await (await setup.newVmm()).adopt(source.spec.directory)) ?? assert.fail("not adopted"),
      );
      await tell(again, "new", "new");
      const second = await captured({ ...source, machine: again });
      await again.kill();
      for (const [target, text] of [[first, "old"] as const, [second, "new"] as const]) {
        const clone = await cloneOf(target);
        await setup.hangUp(clone.machine);
        await clone.machine.release();
        const found = keep(
          (await (await setup.newVmm()).adopt(clone.spec.directory)) ?? assert.fail("not adopted"),
        );
        await assertHolds(found, text, text);
        await found.kill();
      }
    });

    test("files that are damaged, cut or gone are told, of a snapshot and of what it stands on", async () => {
      const source = await start("whole", "whole");
      const first = await captured(source);
      await source.machine.kill();
      const clone = await cloneOf(first);
      const second = await captured(clone);
      const sleep = await toDisk(clone);
      const hidden = `${first.directory}-hidden`;
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
      cpSync(first.directory, hidden, { recursive: true });
      for (const file of readdirSync(hidden)) {
        for (const harm of harms) {
          harm(join(first.directory, file));
          for (const directory of [first.directory, second.directory, sleep]) {
            const health = vmm.checkSnapshot(directory);
            assert.equal(health.state, "corrupt", `${directory}, ${file}: ${harm}`);
            assert.ok(health.state === "corrupt" && health.reason !== "");
          }
          await assert.rejects(vmm.resume(clone.spec, second.directory, never), hasCode("wrong_state"));
          rmSync(first.directory, { recursive: true });
          cpSync(hidden, first.directory, { recursive: true });
        }
      }
      for (const directory of [first.directory, second.directory, sleep]) {
        assert.equal(vmm.checkSnapshot(directory).state, "good");
      }
      const nothing = join(dirname(sleep), "nothing");
      assert.deepEqual(
        [vmm.checkSnapshot(nothing).state, vmm.snapshotFacts(nothing)],
        ["missing", undefined],
      );
    });

    test("a capture fits its own shape only", async () => {
      const source = await start("", "");
      const { directory, disk } = await captured(source);
      await source.machine.kill();
      const spec = await setup.cloneSpec(disk);
      const bigger = { ...spec, shape: { ...spec.shape, memoryMb: spec.shape.memoryMb * 2 } };
      await assert.rejects(vmm.resume(bigger, directory, never), hasCode("wrong_state"));
    });
  });
}
