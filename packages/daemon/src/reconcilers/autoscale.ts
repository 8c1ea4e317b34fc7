/**
 * Gives service groups members by their configurations, and takes them away. One loop, which rests while there is no
 * configuration. What is to go is known by what the store says: the next daemon goes on where this one ended.
 */

import { toUniError } from "@uni/contract/errors";
import type { InstanceId, ServiceGroupId } from "@uni/contract/ids";
import type { Configurations } from "../autoscale/configurations.ts";
import { type Decision, decide } from "../autoscale/engine.ts";
import type { Configuration, ScaleRecord } from "../autoscale/record.ts";
import type { Log } from "../base/log.ts";
import { Watch } from "../base/watch.ts";
import type { Edge, EdgeLoad } from "../edge/port.ts";
import type { InstanceRecord } from "../instances/record.ts";
import {
  addMember,
  isRemovable,
  type NewMember,
  removeMember,
  type ScaleMembersDependencies,
} from "../operations/scale-members.ts";
import type { GroupRecord } from "../services/record.ts";
import { MemberLoads, type MemberLoadsDependencies, stateOf } from "./member-loads.ts";

export interface AutoscaleDependencies extends ScaleMembersDependencies, MemberLoadsDependencies {
  readonly edge: Pick<Edge, "loads" | "noteGrowth">;
  readonly configurations: Configurations;
  readonly log: Log;
}

/** What happened to a group since this daemon began. */
interface Past {
  outUs: number;
  inUs: number;
  failures: number;
  /** Nothing is made before. */
  retryUs: number;
}

/** Whoever waits for a free member does not see the time between two looks. */
const lookMs = 250;
const firstRetryMs = 1_000;
const longestRetryMs = 60_000;

export class Autoscale {
  readonly #deps: AutoscaleDependencies;
  readonly #loads: MemberLoads;
  readonly #past = new Map<ServiceGroupId, Past>();
  /** Made by this daemon, and not seen running yet. */
  readonly #starting = new Set<InstanceId>();
  readonly #going = new Map<InstanceId, Promise<void>>();
  readonly #unlisten: () => void;
  readonly #watch: Watch;

  constructor(deps: AutoscaleDependencies) {
    this.#deps = deps;
    this.#loads = new MemberLoads(deps);
    this.#watch = new Watch({
      clock: deps.clock,
      look: () => this.#look(),
      nextMs: () => (deps.configurations.all().length > 0 ? lookMs : undefined),
      onError: (error) => deps.log.error({ err: error }, "looking at the load of groups failed"),
    });
    this.#unlisten = deps.configurations.onChange(() => this.#watch.plan(0));
    this.#watch.plan(0);
  }

  /** Members that are finishing what they have go on; the next daemon removes them. */
  async close(): Promise<void> {
    this.#unlisten();
    await this.#watch.close();
  }

  async #look(): Promise<void> {
    const { configurations, registry, groups } = this.#deps;
    const records = configurations.all();
    const known = new Set(records.map(({ group }) => group));
    for (const record of registry.all()) {
      const group = record.spec.scaledFor;
      if (group === null || !isRemovable(record, group)) continue;
      const isMember = groups.groupOf(record.id)?.id === group;
      if (!known.has(group) || !isMember) this.#remove(record, 0, "it belongs to no group that scales");
    }
    if (records.length === 0) return;
    const loads = await this.#loads.ask([...known]);
    for (const record of records) await this.#lookAt(record, loads);
    this.#loads.keep(new Set(registry.all().map(({ id }) => id)));
  }

  async #lookAt(record: ScaleRecord, loads: ReadonlyMap<string, EdgeLoad>): Promise<void> {
    const { configurations, groups } = this.#deps;
    const group = groups.catalogue.find(record.group);
    if (group === undefined) return configurations.drop(record.group, false);
    const members = this.#membersOf(group);
    const { cooldownMs } = record.configuration;
    if (record.leaving) {
      const leaving = members.filter((member) => isRemovable(member, group.id));
      if (leaving.length === 0) return configurations.drop(group.id, true);
      for (const member of leaving) this.#remove(member, cooldownMs, "its configuration was deleted");
      return;
    }
    const living = members.filter(({ id, status }) => {
      return !this.#going.has(id) && (status.state !== "stopped" || this.#starting.has(id));
    });
    for (const member of members) {
      if (!living.includes(member) && isRemovable(member, group.id))
        this.#remove(member, 0, "it has stopped");
    }
    const counted = this.#replace(living, group, cooldownMs);
    const decision = await this.#decide(group, record.configuration, { living, counted }, loads);
    await this.#act(group, record.configuration, decision, counted.length);
  }

  /** Whoever has a successor does not count, and goes as soon as that one serves. */
  #replace(living: readonly InstanceRecord[], group: GroupRecord, cooldownMs: number): InstanceRecord[] {
    const now = this.#deps.clock.now();
    const successors = new Map(living.map((record) => [record.spec.replaces, record]));
    return living.filter((record) => {
      const successor = isRemovable(record, group.id) ? successors.get(record.id) : undefined;
      if (successor === undefined) return true;
      if (stateOf(successor, now) !== "starting") this.#remove(record, cooldownMs, "it has a successor");
      return false;
    });
  }

  #membersOf({ id }: GroupRecord): InstanceRecord[] {
    const { groups, registry } = this.#deps;
    return groups.membersOf(id).flatMap((member) => registry.find(member) ?? []);
  }

  async #decide(
    group: GroupRecord,
    configuration: Configuration,
    {
      living,
      counted,
    }: { readonly living: readonly InstanceRecord[]; readonly counted: readonly InstanceRecord[] },
    loads: ReadonlyMap<string, EdgeLoad>,
  ): Promise<Decision> {
    const past = this.#pastOf(group.id);
    const members = await Promise.all(
      counted.map((record) => this.#loads.member(record, group.id, loads.get(record.id))),
    );
    const nowUs = this.#deps.clock.monotonicUs();
    return decide(configuration, {
      members,
      waiting: loads.get(group.id)?.inFlight ?? 0,
      softLimit: group.spec.softLimit,
      sinceOutMs: (nowUs - past.outUs) / 1000,
      sinceInMs: (nowUs - past.inUs) / 1000,
      replacing: counted.length < living.length,
    });
  }

  async #act(
    group: GroupRecord,
    configuration: Configuration,
    decision: Decision,
    size: number,
  ): Promise<void> {
    const past = this.#pastOf(group.id);
    const nowUs = this.#deps.clock.monotonicUs();
    if (decision.kind === "in") {
      past.inUs = nowUs;
      for (const id of decision.members) {
        const record = this.#deps.registry.find(id);
        if (record !== undefined) this.#remove(record, configuration.cooldownMs, decision.reason);
      }
    }
    if (decision.kind === "none" || decision.kind === "in" || nowUs < past.retryUs) return;
    past.outUs = nowUs;
    try {
      if (decision.kind === "out") await this.#grow(group, configuration, decision, size);
      else await this.#add(group, { ...configuration, replaces: decision.member }, decision.reason);
    } catch (error) {
      this.#failed(group, error);
    }
  }

  async #grow(
    group: GroupRecord,
    configuration: Configuration,
    { count, reason, successorsOf, highWatermark }: Extract<Decision, { kind: "out" }>,
    before: number,
  ): Promise<void> {
    const { maxSize } = configuration;
    let size = before;
    try {
      for (; size < before + count; size += 1) {
        await this.#add(group, { ...configuration, replaces: null }, reason);
        const served = successorsOf[size - before];
        if (served !== undefined) this.#loads.countAnew(served);
      }
    } finally {
      const isBeyond = size > before && highWatermark > 0 && size > highWatermark * maxSize;
      if (isBeyond) await this.#deps.edge.noteGrowth(group.id, size, maxSize);
    }
  }

  async #add(group: GroupRecord, wanted: NewMember, reason: string): Promise<void> {
    if (this.#watch.isClosed) return;
    const { member, started } = await addMember(this.#deps, group, wanted);
    this.#deps.log.info({ group: group.name, instance: member, reason }, "a group got a member");
    this.#starting.add(member);
    const done = started.then(
      () => {
        this.#pastOf(group.id).failures = 0;
        this.#deps.configurations.note(group.id, undefined);
      },
      (error) => this.#failed(group, error),
    );
    void done.finally(() => this.#starting.delete(member));
  }

  /** The next attempt comes after a pause that doubles. */
  #failed(group: GroupRecord, error: unknown): void {
    const past = this.#pastOf(group.id);
    const pauseMs = Math.min(longestRetryMs, firstRetryMs * 2 ** past.failures);
    past.failures += 1;
    past.retryUs = this.#deps.clock.monotonicUs() + pauseMs * 1000;
    const { message } = toUniError(error, "make a member");
    this.#deps.configurations.note(group.id, message);
    this.#deps.log.warn({ err: error, group: group.name, pauseMs }, "a member could not be made");
  }

  #remove({ id, name }: InstanceRecord, drainMs: number, reason: string): void {
    if (this.#going.has(id)) return;
    this.#deps.log.info({ instance: id, name, reason }, "a member goes");
    const gone = removeMember(this.#deps, id, drainMs)
      .catch((error) => this.#deps.log.warn({ err: error, instance: id }, "a member could not be removed"))
      .finally(() => this.#going.delete(id));
    this.#going.set(id, gone);
  }

  #pastOf(group: ServiceGroupId): Past {
    const now = this.#deps.clock.monotonicUs();
    const past = this.#past.get(group) ?? { outUs: now, inUs: now, failures: 0, retryUs: 0 };
    this.#past.set(group, past);
    return past;
  }
}
