/** Starts, suspensions and stops as the API has them: asked for, and waited for as long as the caller wants. */
import type { InstanceId } from "@uni/contract/ids";
import type { StartOptions, StopOptions, SuspendOptions, Transition, WaitMs } from "../api/port.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { requireAdmitted } from "../instances/admission.ts";
import type { Drains } from "../instances/drains.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";
import { waitUntil } from "../instances/waiting.ts";
import { beginDrain } from "../operations/drain.ts";
import { checkLimits, type NodeLimits } from "../operations/node-limits.ts";
import type { OpenServices } from "./services.ts";

export interface TransitionsDependencies {
  readonly registry: Registry;
  readonly owners: Owners;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: NodeLimits;
  readonly drains: Drains;
  readonly services: Pick<OpenServices, "apply">;
}

export type Transitions = ReturnType<typeof createTransitions>;

export function createTransitions(deps: TransitionsDependencies) {
  const { registry, owners, clock } = deps;
  const drainage = {
    ...deps,
    live: (id: InstanceId) => owners.of(id).live,
    applyEdge: deps.services.apply,
  };

  /** Work that goes on after the answer: its failure is on the instance, for everybody to see. */
  const inBackground = (work: Promise<unknown>, what: string, id: InstanceId) => {
    work.catch((error) => deps.log.warn({ err: error, instance: id }, `${what} failed`));
  };

  const waitFor =
    (id: InstanceId, reached: (record: InstanceRecord | undefined) => boolean) =>
    (waitMs: WaitMs, signal: AbortSignal) =>
      waitUntil(registry, id, reached, { waitMs, signal, clock });

  async function start(id: InstanceId, options: StartOptions, signal: AbortSignal): Promise<Transition> {
    const { waitMs, cold } = options;
    const before = registry.get(id);
    requireRoom(before);
    const work = owners.of(id).start({ cold });
    if (waitMs <= 0) {
      inBackground(work, "start", id);
      await registry.synced();
      return transition(id, before, false);
    }
    // A start that fails is told to the caller who waits; the program may have ended before it was seen running.
    const failed = work.then(() => new Promise<never>(() => {}));
    const reached = await Promise.race([waitFor(id, hasRunSince(before))(waitMs, signal), failed]);
    return transition(id, before, !reached);
  }

  /**
   * All of them or none: others may have taken the room since the request was let in. Nothing is awaited between the
   * question and the begin of every start.
   */
  function startAll(records: readonly InstanceRecord[], waitMs: WaitMs, signal: AbortSignal) {
    const [first] = records;
    if (first === undefined) return [];
    const wanted = { spec: first.spec, created: 0, started: records.length };
    checkLimits(deps.limits, registry.ofAccount(first.account), wanted);
    return records.map(({ id }) => start(id, { waitMs }, signal));
  }

  /** What does not live must fit into the account's quota to live again. */
  function requireRoom({ account, spec, status }: InstanceRecord): void {
    if (status.state !== "stopped" && status.state !== "standby") return;
    checkLimits(deps.limits, registry.ofAccount(account), { spec, created: 0, started: 1 });
  }

  async function suspend(id: InstanceId, options: SuspendOptions, signal: AbortSignal): Promise<Transition> {
    const before = registry.get(id);
    const owner = owners.of(id);
    requireAdmitted("sleep", before);
    const drained = await beginDrain(drainage, id, { goal: "sleep", ms: options.drainMs });
    const done = drained(async () => {
      await owner.sleep({ keepMemory: true, stillIdle: async () => true });
      await owner.sleepDeeper();
    });
    inBackground(done, "suspend", id);
    if (options.waitMs <= 0) return transition(id, before, false);
    const isAsleep = (record: InstanceRecord | undefined) => record?.status.state === "standby";
    // Also over when a packet turned it back: it runs, and nobody can say that it should not.
    const over = done.then(() => true);
    const reached = await Promise.race([waitFor(id, isAsleep)(options.waitMs, signal), over]);
    return transition(id, before, !reached);
  }

  async function stop(id: InstanceId, options: StopOptions, signal: AbortSignal): Promise<Transition> {
    const before = registry.get(id);
    const { state } = deps.drains.shown(before).status;
    if (options.ifState !== undefined && options.ifState !== state) {
      return transition(id, before, false);
    }
    const request = { force: options.force, graceMs: options.graceMs };
    // Whoever does not run has nothing to finish.
    const ms = state === "running" ? options.drainMs : 0;
    const drained = await beginDrain(drainage, id, { goal: "stop", ms });
    inBackground(
      drained(() => owners.of(id).stop(request)),
      "stop",
      id,
    );
    const reached = options.waitMs <= 0 || (await waitFor(id, isDown)(options.waitMs, signal));
    return transition(id, before, !reached);
  }

  function transition(id: InstanceId, before: InstanceRecord, timedOut: boolean): Transition {
    const now = deps.drains.shown(registry.find(id) ?? before);
    return { state: now.status.state, previousState: before.status.state, timedOut };
  }

  return { start, startAll, suspend, stop, requireRoom, waitFor, inBackground };
}

const isUp = (record: InstanceRecord | undefined) => record?.status.state === "running";
const isDown = (record: InstanceRecord | undefined) =>
  record === undefined || record.status.state === "stopped";

/** It runs, or the run that was asked for is over already: a new one, or the one that was being started. */
function hasRunSince({ status: before }: InstanceRecord) {
  const starting = before.state === "starting" && before.intent === "run";
  return (record: InstanceRecord | undefined): boolean =>
    record === undefined ||
    (isUp(record) && record.status.intent === "run") ||
    (record.status.state === "stopped" && (starting || record.status.startCount > before.startCount));
}
