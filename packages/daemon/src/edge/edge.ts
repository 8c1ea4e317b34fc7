/** Keeps HAProxy as the last plan says: at run time where it can be, by a seamless reload where it must be. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { TaskQueue } from "../base/task-queue.ts";
import { ensureDirectory, readTextIfExists, removeTree, writeFileAtomic } from "../host/files.ts";
import { challengeAnswers, challengesFile, withoutChallengesOn } from "./challenges.ts";
import { Configurations, copyCertificates } from "./configuration.ts";
import { Haproxy } from "./haproxy.ts";
import { countsFile } from "./member-counts.ts";
import { checkPlan } from "./names.ts";
import type { Edge, EdgePlan } from "./port.ts";
import { requireFreePorts, takenPorts } from "./ports.ts";
import { configurationFile, portsOf, render } from "./render.ts";
import { memberCommands, replaceMap, runCommands } from "./runtime.ts";
import { assignSlots, type SlotTable } from "./slots.ts";

export interface EdgeOptions {
  /** Short, for the sake of its sockets. */
  readonly directory: string;
  /** IPv4 address that is listened on. */
  readonly bind: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What HAProxy was last told; kept in a file for the next daemon. */
interface Applied {
  /** Digest of everything that only a reload can change. */
  readonly structure: string;
  readonly slots: SlotTable;
}

/** Far above what systems hand out, and below the users of machines. */
const edgeUid = 2 ** 30 - 1;
const superviseMs = 300;

export async function createEdge({ directory, bind, clock, log }: EdgeOptions): Promise<Edge> {
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
  /** The answers to validations that the running HAProxy has; unknown at first. */
  let answers: string | undefined;
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
    const serving = withoutPorts(plan, new Set(taken.map(({ port }) => port)));
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
      uid: edgeUid,
      statsSocket: haproxy.statsSocket,
      emptyDirectory: empty,
      certificateFile: certificates.fileOf,
    };
    const files = render(plan, slots, options);
    const bare = { ...plan, groups: plan.groups.map((group) => ({ ...group, members: [] })) };
    const lasting = render(bare, slots, options);
    lasting.delete(challengesFile);
    const structure = digestOf(lasting);
    if (haproxy.isAlive && structure === applied?.structure) {
      // The file first: whoever starts HAProxy again, it is with these members.
      for (const name of [countsFile, challengesFile, configurationFile]) {
        await writeFileAtomic(join(configurations.current, name), files.get(name) ?? "");
      }
      await keep({ structure, slots });
      const taken =
        (await runCommands(haproxy.statsSocket, memberCommands(plan, slots), clock)) &&
        (answers === files.get(challengesFile) ||
          (await replaceMap(haproxy.statsSocket, challengesFile, challengeAnswers(plan), clock)));
      answers = taken ? files.get(challengesFile) : undefined;
      if (taken) return;
      log.warn({}, "the edge did not take a change at run time: it is reloaded");
    }
    const next = await configurations.write(files, certificates);
    try {
      await haproxy.check(next);
    } catch (error) {
      await removeTree(next);
      throw error;
    }
    await configurations.use(next);
    wanted = true;
    await (haproxy.isAlive ? haproxy.reload() : haproxy.start());
    answers = files.get(challengesFile);
    await keep({ structure, slots });
    await configurations.sweep();
  }

  async function keep(next: Applied): Promise<void> {
    applied = next;
    await writeFileAtomic(appliedPath, JSON.stringify(next));
  }

  supervise();
  return {
    apply: (plan) => queue.run(() => apply(plan)),
    checkPorts: (ports) => requireFreePorts(bind, ports, haproxy.processes()),
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

function digestOf(files: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256");
  for (const [name, text] of files) hash.update(`${name}\0${text}\0`);
  return hash.digest("hex");
}
