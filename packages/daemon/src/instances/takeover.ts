/** What an earlier daemon left of one instance is taken over, and what it had begun is finished or undone. */
import type { InstanceId } from "@uni/contract/ids";
import type { Agenda } from "./agenda.ts";
import type { InstanceRecord } from "./record.ts";
import type { StopRequest } from "./run-end.ts";
import type { RunDependencies, Runs } from "./runs.ts";
import type { Sleeper } from "./sleeper.ts";
import { exitCause, reported } from "./stop-cause.ts";
import type { StopCause } from "./stop-outcome.ts";

/** What the takeover needs of the owner. */
export interface Heir extends Pick<RunDependencies, "lifecycle" | "registry" | "clock" | "log"> {
  readonly id: InstanceId;
  readonly agenda: Agenda;
  readonly runs: Runs;
  readonly sleeper: Sleeper;
  readonly stop: (request: StopRequest, signal: AbortSignal) => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** A takeover that failed half-way is tried again after this. */
const tryAgainMs = 5_000;

/** It was being ended for a reason that only the earlier daemon knew. */
const unfinished: StopCause = {
  kind: "failed",
  message: "its run was being ended when the daemon ended",
};

/** Part of a task. Tried again whatever is asked for meanwhile: a machine that is left stands in the way of the next one. */
export async function takeOver(heir: Heir, signal: AbortSignal): Promise<void> {
  await takeOverOnce(heir, signal).catch((error) => {
    const again = () => heir.agenda.enqueueQuietly("a takeover again", (next) => takeOver(heir, next));
    heir.clock.after(tryAgainMs, again);
    throw error;
  });
}

async function takeOverOnce(heir: Heir, signal: AbortSignal): Promise<void> {
  const { id, registry, lifecycle, runs, sleeper } = heir;
  const record = registry.find(id);
  if (record === undefined || runs.live !== undefined) return;
  const { state, intent, configured, exit } = record.status;
  if (intent === "delete") return heir.remove();
  if (state === "stopped") return takeOverStopped(heir, record);
  if (await sleeper.recover(signal)) return;
  if (!configured) {
    await lifecycle.end(record, undefined);
    // What went on from a snapshot ran before its guest had become who it was to be.
    if (state !== "starting") await registry.change(id, { status: { state: "starting" } });
    if (intent === "run") return runs.run(signal);
    return runs.settle({ kind: "interrupted" });
  }
  const live = await lifecycle.adopt(record, runs.hooks());
  if (live === undefined) return runs.settle(exitCause(exit, intent) ?? { kind: "vmm-died" });
  runs.attach(live);
  heir.log.info({ state }, "took over a running machine");
  if (intent === "stop") return heir.stop({ force: false, graceMs: record.spec.gracePeriodMs }, signal);
  if (exit !== null) return runs.end(() => reported(exit), { polite: true, signal });
  if (state === "stopping") return runs.end(() => unfinished, { polite: false });
  sleeper.onMilestone(record.status.netTimeUs === null ? "started" : "listening");
}

async function takeOverStopped({ lifecycle, runs, clock }: Heir, record: InstanceRecord): Promise<void> {
  await lifecycle.end(record, undefined);
  const { restart, startCount } = record.status;
  if (restart !== null) runs.restartAfter(Math.max(0, (restart.nextAt ?? 0) - clock.now()));
  else if (startCount > 0) runs.deleteIfAsked();
}
