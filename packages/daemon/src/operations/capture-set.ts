/**
 * Several instances as they are at one instant: memory, devices and disks (decision 0016). All that takes its time happens
 * before they stand still, or afterwards. One that sleeps is captured asleep, one that is stopped has its disk alone. What
 * fails leaves all of them as they were.
 */
import { availableParallelism } from "node:os";
import type { InstanceId } from "@uni/contract/ids";
import { settled } from "../base/settled.ts";
import { Teardown } from "../base/teardown.ts";
import { type HeldInstance, holdAll } from "../instances/held.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord, SnapshotFacts } from "../instances/record.ts";
import type { SnapshotSweep } from "../snapshots/sweep.ts";
import { beginCapture, type CaptureSource, finishCapture, openSource } from "./capture-one.ts";
import { type LifecycleDependencies, undoSteps } from "./machine.ts";
import { takeTogether } from "./take-together.ts";

export interface CaptureDependencies {
  readonly machines: LifecycleDependencies;
  readonly owners: Owners;
  readonly sweep: SnapshotSweep;
}

export interface Captured {
  readonly held: HeldInstance;
  readonly record: InstanceRecord;
  /** Null: it did not run. */
  readonly snapshot: SnapshotFacts | null;
  /** Null: nothing was written to its disk. */
  readonly layer: string | null;
}

export interface CaptureOptions {
  /** They do not go on: `use` ends them. If that fails they do. */
  readonly ends?: boolean;
  readonly signal: AbortSignal;
}

type Use<T> = (captured: readonly Captured[]) => Promise<T>;

/**
 * What was captured, in the order of `ids`, is kept for as long as `use` runs; then it is what the records name that stays.
 */
export function captureSet<T>(
  deps: CaptureDependencies,
  ids: readonly InstanceId[],
  options: CaptureOptions,
  use: Use<T>,
): Promise<T> {
  return holdAll(deps.owners, ids, async (held) => {
    const signal = AbortSignal.any([options.signal, ...held.map((one) => one.signal)]);
    const [undo, after] = [new Teardown(), new Teardown()];
    const of = { instance: ids.join(" "), what: "a capture" };
    try {
      const inOrder = ids
        .map((id) => held.find((one) => one.record().id === id))
        .filter((one) => one !== undefined);
      return await captureHeld(deps, inOrder, { ...options, signal, undo, after }, use);
    } catch (error) {
      await undoSteps(deps.machines.log, undo, of);
      throw error;
    } finally {
      await undoSteps(deps.machines.log, after, of);
      deps.sweep.soon();
    }
  });
}

export interface Steps {
  readonly signal: AbortSignal;
  /** Of a failure. */
  readonly undo: Teardown;
  /** In any case, at the end. */
  readonly after: Teardown;
}

async function captureHeld<T>(
  deps: CaptureDependencies,
  held: readonly HeldInstance[],
  { ends = false, ...steps }: CaptureOptions & Steps,
  use: Use<T>,
): Promise<T> {
  const { log, clock } = deps.machines;
  const sources = await settled(held.map((one) => openSource(deps.machines, one, steps)));
  const begun = await settled(sources.map((source) => beginCapture(deps, source, steps)));
  steps.signal.throwIfAborted();
  const running = begun.filter(({ runs }) => runs);
  await steps.undo.add("pause", () => goOn(running));
  const pauseMs = await takeTogether(begun, {
    clock,
    ends,
    atOnce: availableParallelism(),
    signal: steps.signal,
  });
  const captured = await settled(begun.map((one) => finishCapture(deps.machines, one, steps.signal)));
  log.info({ instances: captured.map(({ record }) => record.id), pauseMs }, "captured");
  return use(captured);
}

async function goOn(running: readonly CaptureSource[]): Promise<void> {
  await settled(running.map(async ({ machine }) => (machine?.paused ? machine.resume() : undefined)));
}
