/** Turns changes of records into events for listeners. A listener that is too slow gets a "gap" in place of what it missed. */
import type { AccountId } from "@uni/contract/ids";
import type { DaemonEvent } from "@uni/contract/rpc";
import type { Clock } from "../base/clock.ts";
import type { InstanceRecord } from "./record.ts";
import type { Registry } from "./registry.ts";

const longestBacklog = 1000;

export async function* followEvents(
  registry: Registry,
  account: AccountId,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<DaemonEvent> {
  let backlog: DaemonEvent[] = [];
  let dropped = 0;
  let wake: () => void = () => {};
  const unlisten = registry.onChange((after, before) => {
    if ((after ?? before)?.account !== account) return;
    for (const event of eventsOf(after, before, new Date(clock.now()).toISOString())) {
      if (backlog.length < longestBacklog) backlog.push(event);
      else dropped += 1;
    }
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    while (!signal.aborted) {
      const ready = backlog;
      const missed = dropped;
      backlog = [];
      dropped = 0;
      yield* ready;
      if (missed > 0) yield { time: new Date(clock.now()).toISOString(), type: "gap", dropped: missed };
      if (backlog.length > 0 || signal.aborted) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unlisten();
    signal.removeEventListener("abort", onAbort);
  }
}

/** What a change means to a listener; none when nothing that it can see has changed. */
export function eventsOf(
  after: InstanceRecord | undefined,
  before: InstanceRecord | undefined,
  time: string,
): DaemonEvent[] {
  const record = after ?? before;
  if (record === undefined) return [];
  const base = { time, id: record.id, name: record.name };
  if (after === undefined) return [{ ...base, type: "deleted" }];
  if (before === undefined) return [{ ...base, type: "created", state: after.status.state }];
  const events: DaemonEvent[] = [];
  if (after.status.state !== before.status.state) {
    events.push({
      ...base,
      type: "state",
      state: after.status.state,
      previous_state: before.status.state,
      message: after.status.state === "stopped" ? (after.status.exitReason ?? undefined) : undefined,
    });
    if (after.status.state === "stopped" && after.status.exitCode !== null) {
      events.push({ ...base, type: "exited", exit_code: after.status.exitCode });
    }
  }
  if (after.spec !== before.spec && JSON.stringify(after.spec) !== JSON.stringify(before.spec)) {
    events.push({ ...base, type: "updated" });
  }
  return events;
}
