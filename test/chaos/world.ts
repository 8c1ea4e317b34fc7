/**
 * The instances that the chaos is done to, their clients, and what may fail: a request that was not answered must lie in an
 * excuse that a fault gave for its client.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { TestDaemon } from "../kit/daemon.ts";
import { type Client, edgeClient, type Failure, httpClient, type Load, startLoad } from "../kit/load.ts";
import { runScript } from "../kit/machine-test.ts";
import { tierOf } from "../kit/sleepers.ts";
import { until } from "../kit/until.ts";
import type { Random } from "./random.ts";

export interface Subject {
  readonly name: string;
  readonly uuid: string;
  readonly host: string;
  /** Of the memory that it must not lose; undefined: it may. */
  nonce: string | undefined;
  readonly clients: readonly Client[];
}

interface Excuse {
  readonly client: RegExp;
  readonly fromMs: number;
  toMs: number;
}

export interface World {
  readonly daemon: TestDaemon;
  readonly random: Random;
  readonly note: (text: string) => void;
  readonly subject: (name: string) => Subject;
  /** Its clients keep silent until the returned function is called, and none of them waits for an answer. */
  readonly mute: (name: string) => Promise<() => void>;
  /** While `body` runs, these clients may get no answer. */
  readonly excuse: <T>(client: RegExp, body: () => Promise<T>) => Promise<T>;
  /** Throws for the first failure that nothing excuses. */
  readonly check: () => void;
  readonly answered: () => number;
  readonly end: () => Promise<void>;
}

/** Its first word is made at each boot. */
const script = "mkdir -p /www && cat /proc/sys/kernel/random/uuid >/www/index.html";
const serving = "exec httpd -f -p 8080 -h /www";
/** Asks another instance all the time, and serves how often it was answered and how often not. */
const asking = (host: string): string =>
  [
    script,
    "ok=0; no=0; echo 0 0 >/www/private",
    `while :; do if wget -qO- http://${host}:8080/ >/tmp/answer; then ok=$((ok+1)); else no=$((no+1)); fi`,
    'echo "$ok $no" >/www/new; mv /www/new /www/private; sleep 1; done &',
    serving,
  ].join("\n");

const idle = ["--scale-to-zero", "idle", "--cooldown", "0.3"];
/** Name, options, and whether it keeps its memory. */
const cast: readonly (readonly [string, readonly string[], boolean])[] = [
  ["deep", [...idle, "--stateful"], true],
  ["awake", [], true],
  ["victim", [...idle, "--stateful", "--restart", "always"], true],
  ["fresh", ["--scale-to-zero", "on", "--cooldown", "1"], false],
];

export async function makeWorld(
  daemon: TestDaemon,
  random: Random,
  note: (text: string) => void,
): Promise<World> {
  const ca = await daemon.ok(["ca", "export"]);
  const subjects = new Map<string, Subject>();
  for (const [index, [name, options, remembers]] of cast.entries()) {
    const program = name === "awake" ? asking(subjects.get("deep")?.host ?? "") : `${script}\n${serving}`;
    const ports = ["-p", "443:8080", "--domain", name, "-p", `${18_080 + index}:8080`];
    await runScript(daemon, name, program, [...options, ...ports]);
    subjects.set(name, await subjectOf(daemon, ca, name, { hostPort: 18_080 + index, remembers }));
  }
  const excuses: Excuse[] = [];
  const muted = new Set<string>();
  const load = startLoad(
    [...subjects.values()].flatMap(({ clients }) => clients),
    {
      gapMs: 1_500,
      random: Math.random,
      isMuted: ({ name }) => muted.has(ownerOf(name)),
      check: (answer, { name }) => {
        const nonce = subjects.get(ownerOf(name))?.nonce;
        if (nonce !== undefined) assert.equal(answer, nonce, "it lost its memory");
      },
    },
  );
  const subject = (name: string): Subject => {
    const found = subjects.get(name);
    assert.ok(found !== undefined, name);
    return found;
  };
  return {
    daemon,
    random,
    note,
    subject,
    async mute(name) {
      muted.add(name);
      await until("its clients are silent", () => load.waiting().every((client) => ownerOf(client) !== name));
      return () => void muted.delete(name);
    },
    async excuse(client, body) {
      const excuse: Excuse = { client, fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY };
      excuses.push(excuse);
      const result = await body();
      excuse.toMs = performance.now();
      return result;
    },
    check: () => assert.deepEqual(unexcused(load, excuses), []),
    answered: load.answered,
    end: () => load.stop(),
  };
}

/** Clients are called after the instance that they ask. */
const ownerOf = (client: string): string => client.split(":")[0] ?? "";

const unexcused = (load: Load, excuses: readonly Excuse[]): readonly Failure[] =>
  load.failures.filter(
    ({ client, atMs, tookMs }) =>
      !excuses.some((each) => each.client.test(client) && atMs < each.toMs && atMs + tookMs > each.fromMs),
  );

async function subjectOf(
  daemon: TestDaemon,
  ca: string,
  name: string,
  { hostPort, remembers }: { hostPort: number; remembers: boolean },
): Promise<Subject> {
  const { uuid, private_ip: host, service_group: group } = await daemon.json(["inspect", name]);
  const fqdn = group.domains[0].fqdn;
  const clients = [
    httpClient(`${name}: direct`, host, 8080),
    httpClient(`${name}: published`, "127.0.0.1", hostPort),
    edgeClient(`${name}: edge, kept alive`, fqdn, ca, true),
    edgeClient(`${name}: edge, anew`, fqdn, ca, false),
  ];
  let nonce = "";
  for (const client of clients) nonce = await answerOf(client);
  return { name, uuid, host, nonce: remembers ? nonce : undefined, clients };
}

/** The first answer; until then it may be starting. */
export const answerOf = (client: Client): Promise<string> =>
  until(`${client.name} is answered`, () => client.ask().catch(() => undefined));

/** Suspends one whose clients are mute; true when it is on disk, and nobody woke it. */
export async function putToDisk({ daemon }: World, { name, uuid }: Subject): Promise<boolean> {
  await daemon.rest("PUT", `/instances/${uuid}/suspend`);
  await pause(100);
  const end = performance.now() + 15_000;
  while (performance.now() < end) {
    const tier = await tierOf(daemon, name);
    if (tier === "disk") return true;
    if (tier === "running") return false;
    await pause(50);
  }
  return false;
}

/** Everything is in a state that holds, and each instance answers. */
export async function isSound(world: World): Promise<void> {
  const { daemon } = world;
  const holds = new Set(["running", "standby"]);
  for (const [name] of cast) {
    const { clients } = world.subject(name);
    for (const client of clients) await answerOf(client);
    await until(`${name} is in a state that holds`, async () =>
      holds.has((await daemon.json(["inspect", name])).state),
    );
  }
  world.check();
}

/** Of the daemon: resident memory in MiB, and open descriptors. */
export function weigh({ daemon }: World): { readonly rssMb: number; readonly descriptors: number } {
  const rss = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "utf8"));
  return { rssMb: Number(rss?.[1]) / 1024, descriptors: readdirSync(`/proc/${daemon.pid}/fd`).length };
}
