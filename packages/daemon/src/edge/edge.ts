/** Keeps HAProxy as the last plan says: at run time where it can be, by a seamless reload where it must be. */
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { TaskQueue } from "../base/task-queue.ts";
import { ensureDirectory, readTextIfExists, removeTree, writeFileAtomic } from "../host/files.ts";
import { withAwaitedMembers } from "./awaited-members.ts";
import { challengeAnswers, challengesFile, hasHttpChallenges, withoutChallengesOn } from "./challenges.ts";
import { Configurations, copyCertificates, digestOf } from "./configuration.ts";
import { crossingCommand } from "./crossings.ts";
import { Haproxy } from "./haproxy.ts";
import { readLoads } from "./loads.ts";
import { loneMember } from "./lone-members.ts";
import { countFiles } from "./member-counts.ts";
import { checkPlan } from "./names.ts";
import type { Edge, EdgePlan } from "./port.ts";
import { requireFreePorts, takenPorts } from "./ports.ts";
import { configurationFile, portsOf, render } from "./render.ts";
import { memberCommands, renewCertificate, replaceMap, runCommands } from "./runtime.ts";
import { askHaproxy } from "./runtime-socket.ts";
import { assignSlots, type SlotTable } from "./slots.ts";
import { wakeCommands } from "./wakes.ts";

export interface EdgeOptions {
  /** Short, for the sake of its sockets. */
  readonly directory: string;
  /** IPv4 address that is listened on. */
  readonly bind: string;
  /** Networks (CIDR) of load balancers that speak the PROXY protocol: nobody else is believed. */
  readonly proxies: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

/** What HAProxy was last told; kept in a file for the next daemon. */
interface Applied {
  /** Digest of everything that only a reload can change. */
  readonly structure: string;
  readonly slots: SlotTable;
  /** Digests of the certificates by file. */
  readonly certificates: Readonly<Record<string, string>>;
}

/** Of a running HAProxy; unknown at first. */
interface Told {
  readonly commands: ReadonlySet<string>;
  /** The answers to validations; it does not look for any when there are none. */
  readonly answers: string | undefined;
  readonly lone: ReadonlySet<string>;
}

/** Far above what systems hand out, and below the users of machines. */
const edgeUid = 2 ** 30 - 1;
const superviseMs = 300;
/** Whoever wakes does not wait longer for its word. */
const noteMs = 50;

export async function createEdge({ directory, bind, proxies, clock, log }: EdgeOptions): Promise<Edge> {
  const empty = join(directory, "empty");
  const appliedPath = join(directory, "applied.json");
  await ensureDirectory(directory);
  await ensureDirectory(empty, 0o555);
  const haproxy = new Haproxy(directory, clock);
  const configurations = new Configurations(directory);
  const queue = new TaskQueue();
  let wanted = await haproxy.adopt();
  let applied: Applied | undefined;
  if (wanted) {
    const text = await readTextIfExists(appliedPath);
    if (text !== undefined) applied = JSON.parse(text) as Applied;
  }
  let told = nothingTold;
  let cancel = () => {};
  let released = false;

  function supervise(): void {
    cancel();
    if (released) return;
    cancel = clock.after(superviseMs, () => void queue.run(restartIfGone).finally(supervise));
  }

  async function restartIfGone(): Promise<void> {
    if (!wanted || released || haproxy.isAlive) return;
    log.warn({}, "the edge has ended: it is started again");
    await haproxy.start().catch((error) => log.error({ err: error }, "the edge cannot be started"));
  }

  async function apply(plan: EdgePlan): Promise<readonly string[]> {
    checkPlan(plan);
    // Whatever comes after the end must not begin it anew.
    if (released) return [];
    const taken = await takenPorts(bind, portsOf(plan), haproxy.processes());
    const serving = withoutPorts(withAwaitedMembers(plan), new Set(taken.map(({ port }) => port)));
    await (portsOf(serving).length === 0 ? stop() : serve(serving));
    return taken.map(({ words }) => words);
  }

  async function stop(): Promise<void> {
    wanted = false;
    await haproxy.end();
    applied = undefined;
  }

  async function serve(plan: EdgePlan): Promise<void> {
    const slots = assignSlots(plan, applied?.slots ?? {});
    const certificates = await copyCertificates(plan);
    const options = {
      bind,
      proxies,
      uid: edgeUid,
      statsSocket: haproxy.statsSocket,
      emptyDirectory: empty,
      certificateFile: certificates.fileOf,
    };
    const files = render(plan, slots, options);
    const next: Applied = {
      structure: structureOf(plan, (bare) => render(bare, slots, options)),
      slots,
      certificates: Object.fromEntries([...certificates.files].map(([name, pem]) => [name, digestOf(pem)])),
    };
    if (haproxy.isAlive && next.structure === applied?.structure) {
      if (await change(plan, next, files, certificates.files)) return;
      log.warn({}, "the edge did not take a change at run time: it is reloaded");
    }
    const directory = await configurations.write(files, certificates);
    try {
      await haproxy.check(directory);
    } catch (error) {
      await removeTree(directory);
      throw error;
    }
    await configurations.use(directory);
    wanted = true;
    await (haproxy.isAlive ? haproxy.reload() : haproxy.start());
    told = toldBy(plan, slots, files);
    await keep(next);
    await configurations.sweep();
  }

  /** At run time; the files first: whoever starts HAProxy again, it is with these members. False as `runCommands`. */
  async function change(
    plan: EdgePlan,
    next: Applied,
    files: ReadonlyMap<string, string>,
    certificates: ReadonlyMap<string, string>,
  ): Promise<boolean> {
    const socket = haproxy.statsSocket;
    const before = { told, certificates: applied?.certificates };
    const pems = [...certificates].filter(
      ([name]) => before.certificates?.[name] !== next.certificates[name],
    );
    const changing = [...countFiles, challengesFile, configurationFile];
    await configurations.amend(
      new Map([...changing.map((name) => [name, files.get(name) ?? ""] as const), ...pems]),
    );
    // Kept at the end: what was not told then is told again.
    told = nothingTold;
    const now = toldBy(plan, next.slots, files);
    const commands = [...now.commands].filter((command) => !before.told.commands.has(command));
    if (!(await runCommands(socket, commands, clock))) return false;
    for (const [name, pem] of pems) if (!(await renewCertificate(socket, name, pem, clock))) return false;
    if (now.answers !== undefined && now.answers !== before.told.answers) {
      if (!(await replaceMap(socket, challengesFile, challengeAnswers(plan), clock))) return false;
    }
    told = now;
    await keep(next);
    return true;
  }

  async function keep(next: Applied): Promise<void> {
    applied = next;
    await writeFileAtomic(appliedPath, JSON.stringify(next));
  }

  async function noteWake(id: string): Promise<void> {
    if (applied === undefined) return;
    const commands = wakeCommands(applied.slots, told.lone, id, clock.now());
    if (commands.length > 0) await note(commands, "a wake");
  }

  async function note(commands: readonly string[], what: string): Promise<void> {
    await askHaproxy(haproxy.statsSocket, commands.join(";"), clock, noteMs).catch((error) =>
      log.warn({ err: error }, `the edge was not told of ${what}`),
    );
  }

  supervise();
  return {
    apply: (plan) => queue.run(() => apply(plan)),
    noteWake,
    async noteGrowth(group, size, most) {
      if (applied !== undefined) await note([crossingCommand(group, size, most, clock.now())], "a growth");
    },
    async loads(groups) {
      if (applied === undefined || groups.length === 0) return new Map();
      return readLoads({ socket: haproxy.statsSocket, slots: applied.slots, lone: told.lone, clock }, groups);
    },
    // In its turn: what the edge itself is giving up just now is free.
    checkPorts: (ports) => queue.run(() => requireFreePorts(bind, ports, haproxy.processes())),
    async release() {
      released = true;
      cancel();
      await queue.idle();
    },
    async remove() {
      released = true;
      cancel();
      await queue.run(stop);
      await removeTree(directory);
    },
  };
}

const withoutPorts = (plan: EdgePlan, taken: ReadonlySet<number>): EdgePlan => ({
  ...plan,
  challenges: withoutChallengesOn(plan, taken),
  groups: plan.groups.map((group) => ({
    ...group,
    ports: group.ports.filter(({ port }) => !taken.has(port)),
  })),
});

const nothingTold: Told = { commands: new Set(), answers: undefined, lone: new Set() };

const toldBy = (plan: EdgePlan, slots: SlotTable, files: ReadonlyMap<string, string>): Told => ({
  commands: new Set(memberCommands(plan, slots)),
  answers: hasHttpChallenges(plan) ? files.get(challengesFile) : undefined,
  lone: new Set(plan.groups.flatMap((group) => loneMember(group)?.id ?? [])),
});

/** Digest of the files without what changes at run time. */
function structureOf(plan: EdgePlan, renderPlan: (plan: EdgePlan) => Map<string, string>): string {
  const groups = plan.groups.map((group) => ({ ...group, members: [], softLimit: 1, hardLimit: 1 }));
  const lasting = renderPlan({ ...plan, groups });
  lasting.delete(challengesFile);
  return digestOf([...lasting].map(([name, text]) => `${name}\0${text}\0`).join(""));
}
