/** The instances group of the API, on top of registry, owners and operations. */
import { UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { Instance } from "@uni/contract/resources/instance";
import type {
  InstancesPort,
  StartOptions,
  StopOptions,
  SuspendOptions,
  Transition,
  WaitMs,
} from "../api/port.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { signalNumber } from "../base/signals.ts";
import type { GuestChannel } from "../guest/port.ts";
import { requireAdmitted } from "../instances/admission.ts";
import type { Drains } from "../instances/drains.ts";
import type { LiveInstance } from "../instances/lifecycle.ts";
import type { OutputFeed } from "../instances/output-feed.ts";
import type { Owners } from "../instances/owners.ts";
import { pageOf } from "../instances/paging.ts";
import type { InstanceRecord } from "../instances/record.ts";
import { resolveLoosely, resolveReference } from "../instances/references.ts";
import type { Registry } from "../instances/registry.ts";
import { viewInstance } from "../instances/view.ts";
import { waitUntil } from "../instances/waiting.ts";
import type { Network } from "../network/port.ts";
import { attachOutput } from "../operations/attach-output.ts";
import { copyIn, copyOut } from "../operations/copy-files.ts";
import { dial } from "../operations/dial.ts";
import type { Directories } from "../operations/directories.ts";
import { beginDrain } from "../operations/drain.ts";
import { execInGuest } from "../operations/exec-session.ts";
import type { CreateDependencies } from "../operations/instance-create.ts";
import { connectionsOf, type StatsReader, usageOfInstance } from "../operations/instance-stats.ts";
import { logLines } from "../operations/log-lines.ts";
import { checkLimits, checkShape } from "../operations/node-limits.ts";
import type { ExitWatch } from "../operations/wait-exit.ts";
import type { WakeLatencies } from "../operations/wake-latency.ts";
import type { OpenServices } from "./services.ts";
import type { OpenSnapshots } from "./snapshots.ts";
import { historyOf } from "./snapshots-port.ts";

export interface InstancesDependencies extends CreateDependencies {
  readonly registry: Registry;
  readonly owners: Owners;
  readonly network: Network;
  readonly directories: Directories;
  readonly clock: Clock;
  readonly log: Log;
  readonly feed: OutputFeed;
  readonly stats: StatsReader;
  readonly exits: ExitWatch;
  readonly services: Pick<OpenServices, "prepareJoin" | "groupOf" | "apply">;
  readonly latencies: WakeLatencies;
  readonly drains: Drains;
  readonly createRequested: OpenSnapshots["create"];
}

/** How long those wait who need the guest of a sleeper. */
const wakeMs = 60_000;
/** How long a deletion is waited for by those who did not ask to wait. */
const deletionMs = 5_000;

export function createInstancesPort(deps: InstancesDependencies): InstancesPort {
  const { registry, owners, clock, network, feed } = deps;
  registry.onChange((after, before) => {
    if (after !== undefined || before === undefined) return;
    deps.stats.forget(before.id);
    deps.latencies.forget(before.id);
  });

  const drainage = {
    ...deps,
    live: (id: InstanceId) => owners.of(id).live,
    applyEdge: deps.services.apply,
  };
  const view = (record: InstanceRecord): Instance =>
    viewInstance(deps.drains.shown(record), {
      serviceGroup: deps.services.groupOf(record.id),
      now: clock.now(),
      gateway: network.gateway,
      namesFor: network.namesFor,
    });

  /** Work that goes on after the answer: its failure is on the instance, for everybody to see. */
  const inBackground = (work: Promise<unknown>, what: string, id: InstanceId) => {
    work.catch((error) => deps.log.warn({ err: error, instance: id }, `${what} failed`));
  };

  const waitFor =
    (id: InstanceId, reached: (record: InstanceRecord | undefined) => boolean) =>
    (waitMs: WaitMs, signal: AbortSignal) =>
      waitUntil(registry, id, reached, { waitMs, signal, clock });

  const isUp = (record: InstanceRecord | undefined) => record?.status.state === "running";
  const isDown = (record: InstanceRecord | undefined) =>
    record === undefined || record.status.state === "stopped";

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

  async function undoCreate(id: InstanceId): Promise<void> {
    await registry.change(id, { spec: { deleteLock: false } });
    await owners.of(id).delete();
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

  function transition(id: InstanceId, before: InstanceRecord, timedOut: boolean): Transition {
    const now = deps.drains.shown(registry.find(id) ?? before);
    return { state: now.status.state, previousState: before.status.state, timedOut };
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

  /** Whoever wants something of a sleeper wakes it. */
  async function wakeIfAsleep(id: InstanceId): Promise<void> {
    const { state, intent, sleep } = registry.get(id).status;
    const isWaking = state === "starting" && sleep !== null;
    if (intent !== "sleep" && !isWaking) return;
    requireRoom(registry.get(id));
    await owners.of(id).wake();
    if (registry.get(id).status.state === "starting") {
      await waitFor(id, (record) => record?.status.state !== "starting")(
        wakeMs,
        new AbortController().signal,
      );
    }
  }

  /** A daemon that has just begun may be taking the machine over: that is waited for. */
  async function requireLive(id: InstanceId, what: string): Promise<LiveInstance> {
    const owner = owners.of(id);
    await wakeIfAsleep(id);
    if (owner.live === undefined && registry.get(id).status.state === "running") await owner.idle();
    const record = registry.get(id);
    const { live } = owner;
    if (live !== undefined && record.status.state === "running") return live;
    const { state } = record.status;
    throw new UniError(
      "wrong_state",
      `${what} instance '${record.name}': it is ${state}`,
      state === "stopped" ? { hint: `Start it first: uni start ${record.name}` } : {},
    );
  }

  /** Runs `body` on the guest of a running instance, or of a stopped one with its program not started. */
  async function withGuest<T>(id: InstanceId, body: (channel: GuestChannel) => Promise<T>): Promise<T> {
    const { state, intent } = registry.get(id).status;
    if (state !== "running" && intent !== "sleep") {
      return owners.of(id).maintain((maintained) => body(maintained.channel));
    }
    const { channel } = await requireLive(id, "copy files of");
    const end = owners.of(id).sessions.begin();
    return body(channel).finally(end);
  }

  return {
    resolve: (account, reference) => resolveReference(registry, account, reference),
    resolveLoose: (account, text) => resolveLoosely(registry, account, text),
    get: (id) => view(registry.get(id)),
    history: (id) => historyOf(registry.get(id).spec.lineage),
    list: (account, page) => pageOf(registry, account, page).map(view),

    async create(account, request, waitMs, signal) {
      const part = request.service_group;
      const join = part === undefined ? undefined : await deps.services.prepareJoin(account, part);
      const records = await deps.createRequested(account, request, { waits: waitMs > 0, signal });
      let starts: readonly Promise<Transition>[] = [];
      try {
        await join?.(records.map(({ id }) => id));
        if (request.autostart === true) starts = startAll(records, waitMs, signal);
      } catch (error) {
        await Promise.all(records.map(({ id }) => undoCreate(id)));
        throw error;
      }
      if (request.autostart !== true) return { instances: records.map(view), timedOut: false };
      const results = await Promise.all(starts);
      if (join !== undefined) await deps.services.apply();
      return {
        instances: records.map((record) =>
          view(registry.find(record.id) ?? deps.exits.findGone(record.id) ?? record),
        ),
        timedOut: results.some((result) => result.timedOut),
      };
    },

    async update(id, update) {
      const { spec } = registry.get(id);
      if (update.prop === "memory_mb") checkShape(deps.limits, { ...spec, memoryMb: update.value as number });
      if (update.prop === "vcpus") checkShape(deps.limits, { ...spec, vcpus: update.value as number });
      await owners.of(id).update(update);
    },

    async delete(id, waitMs, signal) {
      const before = registry.get(id);
      const work = owners.of(id).delete();
      inBackground(work, "delete", id);
      const isGone = (record: InstanceRecord | undefined) => record === undefined;
      // Also for a caller who does not wait: whoever deletes expects the name to be free, and it takes a moment only.
      const patience = waitMs > 0 ? waitMs : deletionMs;
      const gone = await Promise.race([work.then(() => true), waitFor(id, isGone)(patience, signal)]);
      return { previousState: before.status.state, timedOut: waitMs > 0 && !gone };
    },

    start,
    suspend,
    stop,

    async kill(id, signalName) {
      const number = signalNumber(signalName);
      const { channel } = await requireLive(id, `send ${signalName} to`);
      await channel.signal(number);
    },

    async wait(id, state, waitMs, signal) {
      const reached = (record: InstanceRecord | undefined) =>
        record === undefined || record.status.state === state;
      const inTime = await waitFor(id, reached)(waitMs, signal);
      const record = registry.find(id);
      if (record === undefined) {
        throw new UniError("not_found", `wait for instance ${id}: it was deleted meanwhile`);
      }
      return { state: record.status.state, timedOut: !inTime };
    },

    async waitExit(id, signal) {
      const record = await deps.exits.wait(id, signal);
      return { exitCode: record.status.exitCode ?? undefined, instance: view(record) };
    },

    async log(id, offset, limit) {
      const store = await owners.of(id).logStore();
      const { bytes, start: from, end } = await store.read(offset, limit);
      return {
        output: bytes,
        available: { start: store.start, end: store.end },
        range: { start: from, end },
        state: registry.get(id).status.state,
      };
    },

    async *logLines(id, options, signal) {
      const store = await owners.of(id).logStore();
      yield* logLines({ id, store, feed, registry }, { ...options, signal });
    },

    async metrics(id) {
      const record = registry.get(id);
      const latencies = deps.latencies.of(id);
      const usage = await usageOfInstance(deps, record, owners.of(id).live);
      return {
        rssBytes: usage.rssBytes,
        cpuTimeMs: usage.cpuTimeMs,
        bootTimeUs: record.status.bootTimeUs ?? 0,
        netTimeUs: record.status.netTimeUs ?? 0,
        ...usage.traffic,
        connections: await connectionsOf(owners.of(id).live),
        wakes: latencies.buckets,
        wakesSumMs: latencies.sumMs,
      };
    },

    stats: (id) => deps.stats.read(registry.get(id), owners.of(id).live),

    async attach(id, signal) {
      const store = await owners.of(id).logStore();
      const end = owners.of(id).sessions.begin();
      return attachOutput({ id, store, feed, registry }, signal).once("close", end);
    },

    exec: async (id, params) => {
      const { channel } = await requireLive(id, "run a command in");
      const end = owners.of(id).sessions.begin();
      try {
        const command = await execInGuest(channel, params);
        command.result.then(end, end);
        return command;
      } catch (error) {
        end();
        throw error;
      }
    },

    async dial(id, port, signal) {
      await requireLive(id, `connect to port ${port} of`);
      return dial(deps, registry.get(id), port, signal);
    },

    async copyOut(id, path) {
      const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof copyOut>>>();
      // The guest of a stopped instance is up until the last byte is read, or the reader goes away.
      const done = withGuest(id, async (channel) => {
        const ended = Promise.withResolvers<void>();
        const stream = await copyOut(channel, path, ended.resolve);
        resolve(stream);
        await ended.promise;
      });
      done.catch(reject);
      return promise;
    },

    copyIn: (id, params, archive) => withGuest(id, (channel) => copyIn(channel, params.path, archive)),
  };

  /** It runs, or the run that was asked for is over already: a new one, or the one that was being started. */
  function hasRunSince({ status: before }: InstanceRecord) {
    const starting = before.state === "starting" && before.intent === "run";
    return (record: InstanceRecord | undefined): boolean =>
      record === undefined ||
      (isUp(record) && record.status.intent === "run") ||
      (record.status.state === "stopped" && (starting || record.status.startCount > before.startCount));
  }
}
