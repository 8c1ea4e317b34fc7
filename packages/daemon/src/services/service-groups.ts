/**
 * All service groups and their members, in memory and in the store. Changes go one after the other, so that what was
 * checked still holds when it is written; memory follows the store.
 */
import { randomUUID } from "node:crypto";
import { UniError } from "@uni/contract/errors";
import {
  type AccountId,
  asAccountId,
  asInstanceId,
  asServiceGroupId,
  type InstanceId,
  type ServiceGroupId,
} from "@uni/contract/ids";
import { Catalogue } from "../base/catalogue.ts";
import { TaskQueue } from "../base/task-queue.ts";
import { listCursors } from "../store/cursors.ts";
import type { Database } from "../store/open.ts";
import * as rows from "../store/services.ts";
import { fqdnOf } from "./domains.ts";
import type { GroupRecord, GroupSpec } from "./record.ts";

export interface NewGroup {
  readonly account: AccountId;
  readonly name: string;
  readonly spec: GroupSpec;
  readonly members: readonly InstanceId[];
}

export class ServiceGroups {
  readonly catalogue: Catalogue<GroupRecord>;
  readonly #db: Database;
  readonly #nodeDomain: string;
  readonly #groupOf = new Map<InstanceId, ServiceGroupId>();
  readonly #changes = new TaskQueue();
  readonly #listeners = new Set<() => void>();

  private constructor(db: Database, nodeDomain: string, deleted: ReadonlyMap<string, number>) {
    this.#db = db;
    this.#nodeDomain = nodeDomain;
    this.catalogue = new Catalogue("service group", deleted);
  }

  static async open(db: Database, nodeDomain: string): Promise<ServiceGroups> {
    const groups = new ServiceGroups(db, nodeDomain, await listCursors(db, "deleted_service_resources"));
    for (const row of await rows.listServiceGroups(db)) groups.catalogue.put(fromRow(row));
    for (const { instance, service_group } of await rows.listServiceMembers(db)) {
      groups.#groupOf.set(asInstanceId(instance), asServiceGroupId(service_group));
    }
    return groups;
  }

  /** Called after every change of a group or of its members. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  membersOf(id: ServiceGroupId): InstanceId[] {
    return [...this.#groupOf].filter(([, group]) => group === id).map(([instance]) => instance);
  }

  groupOf(instance: InstanceId): GroupRecord | undefined {
    const id = this.#groupOf.get(instance);
    return id === undefined ? undefined : this.catalogue.find(id);
  }

  /** All instances that are in a group. */
  members(): InstanceId[] {
    return [...this.#groupOf.keys()];
  }

  create({ account, name, spec, members }: NewGroup, now: number): Promise<GroupRecord> {
    return this.#change(async () => {
      this.catalogue.requireFree(account, name);
      this.#requireFreeDomains(spec, undefined);
      for (const instance of members) this.#requireNoGroup(instance);
      const id = asServiceGroupId(randomUUID());
      const emptySince = members.length === 0 ? now : null;
      const row = {
        uuid: id,
        account,
        name,
        created_at: now,
        spec: JSON.stringify(spec),
        empty_since: emptySince,
      };
      const sequence = await rows.insertServiceGroup(this.#db, row, members);
      const record = { id, sequence, account, name, createdAt: now, spec, emptySince };
      this.catalogue.put(record);
      for (const instance of members) this.#groupOf.set(instance, id);
      return record;
    });
  }

  /** `make` gets the specification as it then is, and throws to leave it so. */
  update(id: ServiceGroupId, make: (spec: GroupSpec) => GroupSpec): Promise<GroupRecord> {
    return this.#change(async () => {
      const before = this.catalogue.get(id);
      const after = { ...before, spec: make(before.spec) };
      this.#requireFreeDomains(after.spec, id);
      await rows.saveServiceGroup(this.#db, id, { spec: JSON.stringify(after.spec) });
      this.catalogue.put(after);
      return after;
    });
  }

  join(id: ServiceGroupId, instance: InstanceId): Promise<void> {
    return this.#change(async () => {
      const group = this.catalogue.get(id);
      this.#requireNoGroup(instance);
      await rows.addServiceMember(this.#db, id, instance);
      this.#groupOf.set(instance, id);
      this.catalogue.put({ ...group, emptySince: null });
    });
  }

  /** Takes the instance out of its group; one that is not persistent goes with its last instance. */
  leave(instance: InstanceId, now: number): Promise<void> {
    return this.#change(async () => {
      const group = this.groupOf(instance);
      if (group === undefined) return;
      const isLast = this.membersOf(group.id).length === 1;
      if (isLast && !group.spec.persistent) return this.#drop(group.id, now);
      const emptySince = isLast ? now : null;
      await rows.removeServiceMember(this.#db, group.id, instance, emptySince);
      this.#groupOf.delete(instance);
      this.catalogue.put({ ...group, emptySince });
    });
  }

  /** Refused while it has members. */
  remove(id: ServiceGroupId, now: number): Promise<void> {
    return this.#change(async () => {
      const group = this.catalogue.get(id);
      const count = this.membersOf(id).length;
      if (count > 0) {
        throw new UniError("in_use", `Service group '${group.name}' has ${count} instance(s)`, {
          hint: "Remove its instances first.",
        });
      }
      await this.#drop(id, now);
    });
  }

  async #drop(id: ServiceGroupId, now: number): Promise<void> {
    await rows.deleteServiceGroup(this.#db, id, now);
    for (const instance of this.membersOf(id)) this.#groupOf.delete(instance);
    this.catalogue.drop(id);
  }

  #requireNoGroup(instance: InstanceId): void {
    const group = this.groupOf(instance);
    if (group === undefined) return;
    throw new UniError("in_use", `Instance ${instance} belongs to service group '${group.name}' already`);
  }

  /** A name leads to one group only, whoever's it is. */
  #requireFreeDomains(spec: GroupSpec, own: ServiceGroupId | undefined): void {
    for (const domain of spec.domains) {
      const fqdn = fqdnOf(domain, this.#nodeDomain);
      const holder = this.catalogue.all().find(({ id, spec: other }) => {
        return id !== own && other.domains.some((each) => fqdnOf(each, this.#nodeDomain) === fqdn);
      });
      if (holder !== undefined) {
        throw new UniError("already_exists", `Domain '${fqdn}' belongs to another service group already`);
      }
    }
  }

  async #change<T>(task: () => Promise<T>): Promise<T> {
    const result = await this.#changes.run(task);
    for (const listener of [...this.#listeners]) listener();
    return result;
  }
}

function fromRow(row: rows.ServiceGroupRow): GroupRecord {
  return {
    id: asServiceGroupId(row.uuid),
    sequence: row.sequence,
    account: asAccountId(row.account),
    name: row.name,
    createdAt: row.created_at,
    spec: JSON.parse(row.spec) as GroupSpec,
    emptySince: row.empty_since,
  };
}
