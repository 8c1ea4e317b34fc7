/**
 * Puts idle instances to sleep. One loop over the running instances that have a policy; it looks at each a few times per
 * cooldown, and rests while there are none. What moves its packet counters, what its agent reports, and commands and copies
 * under way keep an instance up; without them for a whole cooldown it falls asleep.
 */
import type { InstanceId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { Watch } from "../base/watch.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";
import { mayScaleToZero } from "../instances/scale-to-zero.ts";
import { hasSettled } from "../instances/settled.ts";
import { sleepByPolicy } from "../instances/sleeper.ts";
import type { Network } from "../network/port.ts";
import { announceSleep, holdsItselfUp, packetsOf } from "../operations/guest-activity.ts";

export interface IdleWatchDependencies {
  readonly registry: Registry;
  readonly owners: Owners;
  readonly network: Network;
  readonly clock: Clock;
  readonly log: Log;
}

interface Quiet {
  /** Nothing has happened since. */
  readonly since: number;
  readonly packets: number | undefined;
  readonly startCount: number;
  announced: boolean;
}

const looksPerCooldown = 4;
const shortestLookMs = 25;
const longestLookMs = 5_000;

export class IdleWatch {
  readonly #deps: IdleWatchDependencies;
  readonly #quiet = new Map<InstanceId, Quiet>();
  readonly #watch: Watch;
  readonly #unlisten: () => void;

  constructor(deps: IdleWatchDependencies) {
    this.#deps = deps;
    this.#watch = new Watch({
      clock: deps.clock,
      look: () => this.#look(),
      nextMs: () => this.#nextLookMs(),
      onError: (error) => deps.log.error({ err: error }, "looking for idle instances failed"),
    });
    this.#unlisten = deps.registry.onChange((after) => {
      if (after !== undefined && isWatched(after)) this.#watch.plan(0);
    });
    this.#watch.plan(0);
  }

  async close(): Promise<void> {
    this.#unlisten();
    await this.#watch.close();
  }

  #nextLookMs(): number | undefined {
    const waits = this.#deps.registry
      .all()
      .filter(isWatched)
      .map(({ spec }) => Math.ceil((spec.scaleToZero?.cooldownMs ?? longestLookMs) / looksPerCooldown));
    if (waits.length === 0) return undefined;
    return Math.min(longestLookMs, Math.max(shortestLookMs, Math.min(...waits)));
  }

  async #look(): Promise<void> {
    const watched = this.#deps.registry.all().filter(isWatched);
    const known = new Set(watched.map(({ id }) => id));
    for (const id of this.#quiet.keys()) if (!known.has(id)) this.#quiet.delete(id);
    await Promise.all(watched.map((record) => this.#lookAt(record)));
  }

  async #lookAt(record: InstanceRecord): Promise<void> {
    const { clock, network, owners, log } = this.#deps;
    const { id, status } = record;
    const setting = record.spec.scaleToZero;
    const owner = owners.of(id);
    if (setting === null || owner.live === undefined || !mayCountDown(record, clock.now())) return;
    const packets = await packetsOf(network, record);
    const before = this.#quiet.get(id);
    const isActive =
      before === undefined ||
      before.startCount !== status.startCount ||
      before.packets !== packets ||
      owner.sessions.count > 0;
    if (isActive) return this.#startOver(record, packets);
    const quietMs = clock.now() - before.since;
    if (setting.notifyMs > 0 && !before.announced && quietMs >= setting.cooldownMs - setting.notifyMs) {
      before.announced = true;
      announceSleep(owner.live).catch((error) => log.warn({ err: error, instance: id }, "the notice failed"));
    }
    if (quietMs < setting.cooldownMs) return;
    if (await holdsItselfUp(owner.live, setting.policy)) return this.#startOver(record, packets);
    if (!isWatched(this.#deps.registry.find(id))) return;
    const stillIdle = async () =>
      owner.sessions.count === 0 && (await packetsOf(network, record)) === packets;
    this.#quiet.delete(id);
    // Not waited for: one that takes its time to stop must not keep the others up.
    const sleeping = owner.sleep(sleepByPolicy(record, stillIdle));
    sleeping.catch((error) => log.warn({ err: error, instance: id }, "an idle instance does not sleep"));
  }

  #startOver({ id, status }: InstanceRecord, packets: number | undefined): void {
    const since = this.#deps.clock.now();
    this.#quiet.set(id, { since, packets, startCount: status.startCount, announced: false });
  }
}

function isWatched(record: InstanceRecord | undefined): boolean {
  if (record === undefined) return false;
  const { state, intent } = record.status;
  return state === "running" && intent === "run" && mayScaleToZero(record.spec);
}

function mayCountDown({ status }: InstanceRecord, now: number): boolean {
  // One that boots to be woken has work before its first answer.
  if (status.sleep !== null) return false;
  return hasSettled(status, now);
}
