/** The instances group of the API, on top of registry, owners and operations. */
import { UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { Instance } from "@uni/contract/resources/instance";
import type { InstancesPort, Transition } from "../api/port.ts";
import { signalNumber } from "../base/signals.ts";
import type { OutputFeed } from "../instances/output-feed.ts";
import { pageOf } from "../instances/paging.ts";
import type { InstanceRecord } from "../instances/record.ts";
import { resolveLoosely, resolveReference } from "../instances/references.ts";
import { viewInstance } from "../instances/view.ts";
import type { Network } from "../network/port.ts";
import { attachOutput } from "../operations/attach-output.ts";
import { copyIn, copyOut } from "../operations/copy-files.ts";
import { dial } from "../operations/dial.ts";
import type { Directories } from "../operations/directories.ts";
import { execInGuest } from "../operations/exec-session.ts";
import type { CreateDependencies } from "../operations/instance-create.ts";
import { connectionsOf, type StatsReader, usageOfInstance } from "../operations/instance-stats.ts";
import { logLines } from "../operations/log-lines.ts";
import { checkShape } from "../operations/node-limits.ts";
import type { ExitWatch } from "../operations/wait-exit.ts";
import type { WakeLatencies } from "../operations/wake-latency.ts";
import { createConsoles } from "./consoles.ts";
import { createGuestAccess } from "./guest-access.ts";
import type { OpenServices } from "./services.ts";
import type { OpenSnapshots } from "./snapshots.ts";
import { historyOf } from "./snapshots-port.ts";
import { createTransitions, type TransitionsDependencies } from "./transitions.ts";

export interface InstancesDependencies extends CreateDependencies, TransitionsDependencies {
  readonly network: Network;
  readonly directories: Directories;
  readonly feed: OutputFeed;
  readonly stats: StatsReader;
  readonly exits: ExitWatch;
  readonly services: Pick<OpenServices, "prepareJoin" | "groupOf" | "apply">;
  readonly latencies: WakeLatencies;
  readonly createRequested: OpenSnapshots["create"];
}

/** How long a deletion is waited for by those who did not ask to wait. */
const deletionMs = 5_000;

export function createInstancesPort(deps: InstancesDependencies): InstancesPort {
  const { registry, owners, clock, network, feed } = deps;
  registry.onChange((after, before) => {
    if (after !== undefined || before === undefined) return;
    deps.stats.forget(before.id);
    deps.latencies.forget(before.id);
  });

  const transitions = createTransitions(deps);
  const { start, startAll, suspend, stop, waitFor, inBackground } = transitions;
  const { requireLive, withGuest } = createGuestAccess(deps, transitions);
  const openConsole = createConsoles({ ...deps, requireLive }, transitions);
  const view = (record: InstanceRecord): Instance =>
    viewInstance(deps.drains.shown(record), {
      serviceGroup: deps.services.groupOf(record.id),
      now: clock.now(),
      gateway: network.gateway,
      namesFor: (address) => network.namesFor(address),
    });

  async function undoCreate(id: InstanceId): Promise<void> {
    await registry.change(id, { spec: { deleteLock: false } });
    await owners.of(id).delete();
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

    console: openConsole,

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
}
