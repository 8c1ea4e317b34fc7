/** The instances of the memory core. */
import { randomUUID } from "node:crypto";
import { type Duplex, PassThrough, Readable } from "node:stream";
import type { InstanceState } from "@uni/contract/enums";
import { UniError } from "@uni/contract/errors";
import { asInstanceId, type InstanceId } from "@uni/contract/ids";
import type { CreateInstanceRequest, Instance, InstanceUpdate } from "@uni/contract/resources/instance";
import type { LogLine } from "@uni/contract/rpc";
import type { InstancesPort, StopOptions, Transition } from "./port.ts";

export const fakeImage = "hello";
/** Behind every other one somebody sends back what he gets. */
export const closedPort = 9;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export interface Entry {
  readonly instance: Mutable<Instance>;
  readonly log: Buffer[];
  readonly files: Map<string, Buffer>;
}

export interface State {
  hold: boolean;
  readonly waiting: Set<AbortSignal>;
  readonly shutdowns: boolean[];
  readonly uploads: Buffer[];
}

export function fakeInstances(entries: Map<string, Entry>, state: State): InstancesPort {
  const entry = (id: InstanceId): Entry => {
    const found = entries.get(id);
    if (found === undefined) throw new UniError("not_found", `find instance ${id}: no such instance`);
    return found;
  };
  const find = (test: (instance: Instance) => boolean) =>
    [...entries.values()].filter(({ instance }) => test(instance)).map(({ instance }) => instance);

  /** Blocks while the core is held; the answer says whether the wait ran out. */
  const wait = async (ms: number, signal: AbortSignal): Promise<boolean> => {
    if (!state.hold) return false;
    if (ms !== Number.POSITIVE_INFINITY) return true;
    state.waiting.add(signal);
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await promise;
    } finally {
      state.waiting.delete(signal);
    }
  };
  const change = async (
    id: InstanceId,
    goal: InstanceState,
    ms: number,
    signal: AbortSignal,
  ): Promise<Transition> => {
    const { instance } = entry(id);
    const previousState = instance.state;
    const timedOut = ms !== 0 && (await wait(ms, signal));
    if (!state.hold) instance.state = goal;
    return { state: instance.state, previousState, timedOut };
  };

  return {
    resolve(_account, { uuid, name }) {
      const [found] = find((instance) =>
        uuid === undefined ? instance.name === name : instance.uuid === uuid,
      );
      if (found === undefined) throw new UniError("not_found", "no such instance");
      return asInstanceId(found.uuid);
    },
    resolveLoose(_account, text) {
      const exact = find((instance) => instance.uuid === text || instance.name === text);
      const found = exact.length > 0 ? exact : find((instance) => instance.uuid.startsWith(text));
      if (found.length > 1) throw new UniError("ambiguous", `find instance ${text}: ${found.length} match`);
      if (found[0] === undefined) throw new UniError("not_found", `find instance ${text}: no such instance`);
      return asInstanceId(found[0].uuid);
    },
    async create(_account, request, waitMs, signal) {
      const sources = [request.template, request.branch_from, request.checkpoint];
      if (request.image !== fakeImage && sources.every((source) => source === undefined)) {
        throw new UniError("image_not_found", `find image ${request.image}: no such image`, {
          hint: "uni images",
        });
      }
      const made: Instance[] = [];
      for (let index = 0; index <= (request.replicas ?? 0); index++) {
        const name = request.name ?? `${fakeImage}-${randomUUID().slice(0, 5)}`;
        if (find((instance) => instance.name === name).length > 0) {
          throw new UniError("already_exists", `create instance ${name}: the name is taken`);
        }
        const instance = newInstance(name, request);
        entries.set(instance.uuid, {
          instance,
          log: [Buffer.from(`${name} says hello\n`)],
          files: new Map(),
        });
        made.push(instance);
      }
      const timedOut = waitMs !== 0 && (await wait(waitMs, signal));
      if (request.autostart && !state.hold)
        for (const instance of made) (instance as Mutable<Instance>).state = "running";
      return { instances: made, timedOut };
    },
    list(_account, { count, from, order, tags }) {
      const all = find((instance) => tags.every((tag) => instance.tags?.includes(tag)));
      if (order === "desc") all.reverse();
      const start = from === undefined ? 0 : all.findIndex((instance) => instance.uuid === from) + 1;
      return all.slice(start, count === Number.POSITIVE_INFINITY ? undefined : start + count);
    },
    get: (id) => entry(id).instance,
    history: () => [],
    async update(id, update) {
      applyUpdate(entry(id).instance, update);
    },
    async delete(id, waitMs, signal) {
      const { instance } = entry(id);
      if (instance.delete_lock)
        throw new UniError("delete_locked", `delete instance ${instance.name}: it is locked`);
      if (waitMs !== 0 && (await wait(waitMs, signal)))
        return { previousState: instance.state, timedOut: true };
      entries.delete(id);
      return { previousState: instance.state };
    },
    start: (id, { waitMs }, signal) => change(id, "running", waitMs, signal),
    suspend: (id, { waitMs }, signal) => change(id, "standby", waitMs, signal),
    stop(id, { waitMs, ifState }: StopOptions, signal) {
      const { state: previousState } = entry(id).instance;
      if (ifState !== undefined && ifState !== previousState) {
        return Promise.resolve({ state: previousState, previousState, timedOut: false });
      }
      entry(id).instance.exit_code = 0;
      return change(id, "stopped", waitMs, signal);
    },
    async kill(id, signalName) {
      entry(id).log.push(Buffer.from(`got ${signalName}\n`));
    },
    async wait(id, wanted, waitMs, signal) {
      if (entry(id).instance.state === wanted) return { state: wanted, timedOut: false };
      if (waitMs === 0) return { state: entry(id).instance.state, timedOut: true };
      state.hold ||= waitMs !== Number.POSITIVE_INFINITY;
      const timedOut = await wait(waitMs, signal);
      return { state: entry(id).instance.state, timedOut };
    },
    async waitExit(id, signal) {
      await wait(Number.POSITIVE_INFINITY, signal);
      return { exitCode: entry(id).instance.exit_code, instance: entry(id).instance };
    },
    async log(id, offset, limit) {
      const all = Buffer.concat(entry(id).log);
      const start = Math.min(all.length, Math.max(0, offset < 0 ? all.length + offset : offset));
      const end = Math.min(all.length, start + limit);
      return {
        output: all.subarray(start, end),
        available: { start: 0, end: all.length },
        range: { start, end },
        state: entry(id).instance.state,
      };
    },
    async *logLines(id, { tail }): AsyncIterable<LogLine> {
      const lines = Buffer.concat(entry(id).log).toString().trimEnd().split("\n");
      for (const line of lines.slice(tail === undefined ? 0 : -tail)) {
        yield { time: "2026-01-01T00:00:00.000Z", stream: "stdout", line };
      }
    },
    async metrics(id) {
      const live = entry(id).instance.state === "running" ? 1 : 0;
      return {
        rssBytes: live * 30_000_000,
        cpuTimeMs: 12,
        bootTimeUs: 20_000,
        netTimeUs: 30_000,
        rxBytes: 1,
        rxPackets: 2,
        txBytes: 3,
        txPackets: 4,
        connections: 0,
        wakes: [
          { bucketMs: 1, count: 2 },
          { bucketMs: null, count: 1 },
        ],
        wakesSumMs: 5000,
      };
    },
    async stats(id) {
      const { uuid, name, state: now, memory_mb } = entry(id).instance;
      return {
        id: uuid,
        name,
        state: now,
        cpu_pct: 1.5,
        cpu_time_ms: 12,
        rss_bytes: 30_000_000,
        mem_limit_bytes: memory_mb << 20,
        net_rx_bytes: 1,
        net_tx_bytes: 3,
        timestamp: "2026-01-01T00:00:00.000Z",
        source: "host",
      };
    },
    async attach(id) {
      const name = entry(id).instance.name;
      const console = new PassThrough();
      console.write(`${name} console\n`);
      return console as Duplex;
    },
    async console(id, params, signal) {
      const { name } = entry(id).instance;
      const stdin = new PassThrough();
      const output = (async function* () {
        yield {
          stream: "stdout" as const,
          timeMs: 0,
          bytes: Buffer.from(`${name} ${JSON.stringify(params)}\n`),
        };
        for await (const bytes of stdin)
          yield { stream: "stderr" as const, timeMs: 0, bytes: bytes as Buffer };
      })();
      signal.addEventListener("abort", () => stdin.destroy(), { once: true });
      return {
        stdin,
        output,
        result: Promise.resolve({ exit_code: 5 }),
        resize: async (rows, columns) => void stdin.write(`[${rows}x${columns}]`),
        signal: async (name) => void stdin.write(`[${name}]`),
        close: async () => void stdin.destroy(),
      };
    },
    async exec(id, params, signal) {
      entry(id);
      if (params.argv[0] === "nothere") throw new UniError("guest_failed", "run nothere: no such file");
      const stdin = new PassThrough();
      const stdout = new PassThrough();
      const stderr = new PassThrough();
      const { promise, resolve, reject } = Promise.withResolvers<{ exit_code: number }>();
      stdin.pipe(stdout);
      stdout.on("end", () => resolve({ exit_code: 7 }));
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      promise.catch(() => {});
      stderr.end("to stderr");
      return {
        stdin,
        stdout,
        stderr,
        result: promise,
        resize: async (rows, columns) => void stdout.write(`[${rows}x${columns}]`),
        signal: async (name) => void stdout.write(`[${name}]`),
        close: async () => void stdin.destroy(),
      };
    },
    async dial(id, port) {
      entry(id);
      if (port === closedPort) throw new UniError("unreachable", `connect to port ${port}: nobody listens`);
      return new PassThrough();
    },
    async copyOut(id, path) {
      const content = entry(id).files.get(path);
      if (content === undefined) throw new UniError("not_found", `copy ${path}: no such file`);
      return Readable.from([content]);
    },
    async copyIn(id, { path }, tar) {
      const content = await collect(tar);
      entry(id).files.set(path, content);
      return { bytes: content.length, entries: 1 };
    },
  };
}

function newInstance(name: string, request: CreateInstanceRequest): Mutable<Instance> {
  return {
    uuid: randomUUID(),
    name,
    created_at: "2026-01-01T00:00:00.000Z",
    state: request.autostart ? "starting" : "stopped",
    private_ip: "10.0.0.2",
    image: `${request.image}@sha256:${"0".repeat(64)}`,
    image_ref: String(request.image),
    memory_mb: request.memory_mb ?? 128,
    vcpus: request.vcpus ?? 1,
    args: typeof request.args === "string" ? [request.args] : request.args,
    env: request.env ?? {},
    restart_policy: request.restart_policy ?? "never",
    tags: request.tags ?? [],
    features: request.features ?? [],
    ports: request.ports ?? [],
    roms: request.roms?.map(({ name, at }) => ({ name, at })),
    type: "micro",
    accelerator: "tcg",
    start_count: 0,
    restart_count: 0,
    ...(request.grace_period_s === undefined ? {} : { grace_period_s: request.grace_period_s }),
    ...(request.delete_lock === undefined ? {} : { delete_lock: request.delete_lock }),
  };
}

/** Enough to see that a change arrived in its one form. */
function applyUpdate(instance: Mutable<Instance>, { prop, op, value }: InstanceUpdate): void {
  const record = instance as unknown as Record<string, unknown>;
  if (op === "set") record[prop] = value;
  else if (op === "del" && value === undefined) delete record[prop];
  else if (prop === "tags" || prop === "args") {
    const before = (record[prop] as string[] | undefined) ?? [];
    const given = value as string[];
    record[prop] = op === "add" ? [...before, ...given] : before.filter((item) => !given.includes(item));
  } else {
    const before = (record[prop] as Record<string, string> | undefined) ?? {};
    const gone = op === "del" ? (value as string[]) : [];
    const kept = Object.entries(before).filter(([key]) => !gone.includes(key));
    record[prop] = { ...Object.fromEntries(kept), ...(op === "add" ? (value as object) : {}) };
  }
}

export async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
