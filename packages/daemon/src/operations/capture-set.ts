/**
 * Several instances as they are at one instant: memory, devices and disks (decision 0016). All that takes its time happens
 * before they stand still, or afterwards; all stand still before the first of them is taken. One that sleeps is captured
 * asleep, one that is stopped has its disk alone. What fails leaves all of them as they were.
 */
import type { InstanceId } from "@uni/contract/ids";
import { Teardown } from "../base/teardown.ts";
import { type HeldInstance, holdAll } from "../instances/held.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord, SnapshotFacts } from "../instances/record.ts";
import type { SnapshotSweep } from "../snapshots/sweep.ts";
import { beginCapture, type CaptureSource, finishCapture, openSource } from "./capture-one.ts";
import { type LifecycleDependencies, undoSteps } from "./machine.ts";

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
  const sources = await all(held, (one) => openSource(deps.machines, one, steps));
  const begun = await all(sources, (source) => beginCapture(deps, source, steps));
  steps.signal.throwIfAborted();
  const running = begun.filter(({ runs }) => runs);
  await steps.undo.add("pause", () => goOn(running));
  const pausedUs = clock.monotonicUs();
  await all(running, async ({ machine }) => machine?.pause());
  await all(begun, async ({ capture }) => capture?.take(steps.signal));
  if (!ends) await goOn(running);
  const pauseMs = (clock.monotonicUs() - pausedUs) / 1000;
  const captured = await all(begun, (one) => finishCapture(deps.machines, one, steps.signal));
  log.info({ instances: captured.map(({ record }) => record.id), pauseMs }, "captured");
  return use(captured);
}

async function goOn(running: readonly CaptureSource[]): Promise<void> {
  await all(running, async ({ machine }) => (machine?.paused ? machine.resume() : undefined));
}

/** All at once. Fails with the first failure when all have come to their end, so that undoing finds nothing under way. */
async function all<In, Out>(each: readonly In[], act: (one: In) => Promise<Out>): Promise<Out[]> {
  const results = await Promise.allSettled(each.map(act));
  const failure = results.find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  return results.map((result) => (result as PromiseFulfilledResult<Out>).value);
}
