/**
 * All instances, in memory and in the store. A record is replaced, never changed in place. `change` alters memory at once
 * and resolves when the store has it; whoever acts on a change awaits it first.
 */

import { messages } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import { type AccountId, asAccountId, asInstanceId, type InstanceId } from "@uni/contract/ids";
import { listCursors } from "../store/cursors.ts";
import * as rows from "../store/instances.ts";
import { syncWritten } from "../store/node-sqlite-dialect.ts";
import type { Database } from "../store/open.ts";
import { type InstanceRecord, type InstanceSpec, type InstanceStatus, neverStarted } from "./record.ts";

export type ChangeListener = (after: InstanceRecord | undefined, before: InstanceRecord | undefined) => void;

export class Registry {
  readonly #db: Database;
  readonly #byId = new Map<InstanceId, InstanceRecord>();
  readonly #byName = new Map<string, InstanceId>();
  #deleted = new Map<string, number>();
  readonly #listeners = new Set<ChangeListener>();

  private constructor(db: Database) {
    this.#db = db;
  }

  static async open(db: Database): Promise<Registry> {
    const registry = new Registry(db);
    for (const row of await rows.listInstances(db)) registry.#put(fromRow(row));
    registry.#deleted = await listCursors(db, "deleted_instances");
    return registry;
  }

  /** Called after every change, with what was and what is; undefined: not there. */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  find(id: InstanceId): InstanceRecord | undefined {
    return this.#byId.get(id);
  }

  get(id: InstanceId): InstanceRecord {
    const record = this.#byId.get(id);
    if (record === undefined) throw new UniError("not_found", messages.noSuch("instance", "uuid", id));
    return record;
  }

  findByName(account: AccountId, name: string): InstanceRecord | undefined {
    const id = this.#byName.get(nameKey(account, name));
    return id === undefined ? undefined : this.#byId.get(id);
  }

  /** Oldest first. */
  all(): InstanceRecord[] {
    return [...this.#byId.values()];
  }

  ofAccount(account: AccountId): InstanceRecord[] {
    return this.all().filter((record) => record.account === account);
  }

  addresses(): Set<string> {
    return new Set(this.all().map((record) => record.address));
  }

  async insert(
    records: readonly Omit<InstanceRecord, "sequence">[],
    options?: rows.SaveOptions,
  ): Promise<InstanceRecord[]> {
    const sequences = await rows.insertInstances(this.#db, records.map(toRow), options);
    return records.map((record, index) => {
      const inserted: InstanceRecord = { ...record, sequence: sequences[index] ?? 0 };
      this.#put(inserted);
      this.#notify(inserted, undefined);
      return inserted;
    });
  }

  /** What was written before survives a power cut when it resolves, also what was to be written without. */
  synced(): Promise<void> {
    return syncWritten(this.#db);
  }

  async change(
    id: InstanceId,
    patch: { readonly spec?: Partial<InstanceSpec>; readonly status?: Partial<InstanceStatus> },
    options?: rows.SaveOptions,
  ): Promise<InstanceRecord> {
    const before = this.get(id);
    const after: InstanceRecord = {
      ...before,
      spec: { ...before.spec, ...patch.spec },
      status: { ...before.status, ...patch.status },
    };
    this.#byId.set(id, after);
    try {
      const columns = { spec: JSON.stringify(after.spec), status: JSON.stringify(after.status) };
      await rows.saveInstance(this.#db, id, columns, options);
    } catch (error) {
      if (this.#byId.get(id) === after) this.#byId.set(id, before);
      throw error;
    }
    // Nobody hears of it after its removal.
    if (this.#byId.has(id)) this.#notify(after, before);
    return after;
  }

  /** `take` removes the row, together with what else is to happen in that instant. */
  async remove(
    id: InstanceId,
    now: number,
    take: () => Promise<void> = () => rows.deleteInstance(this.#db, id, now),
  ): Promise<void> {
    const before = this.#byId.get(id);
    if (before === undefined) return;
    await take();
    this.#byId.delete(id);
    this.#byName.delete(nameKey(before.account, before.name));
    this.#deleted.set(id, before.sequence);
    this.#notify(undefined, before);
  }

  /** Place of an instance in the order of creation, also of one deleted not long ago. */
  sequenceOf(uuid: string): number | undefined {
    return this.#byId.get(asInstanceId(uuid))?.sequence ?? this.#deleted.get(uuid);
  }

  #put(record: InstanceRecord): void {
    this.#byId.set(record.id, record);
    this.#byName.set(nameKey(record.account, record.name), record.id);
  }

  #notify(after: InstanceRecord | undefined, before: InstanceRecord | undefined): void {
    for (const listener of [...this.#listeners]) listener(after, before);
  }
}

const nameKey = (account: AccountId, name: string): string => `${account}\n${name}`;

const toRow = (record: Omit<InstanceRecord, "sequence">) => ({
  uuid: record.id,
  account: record.account,
  name: record.name,
  address: record.address,
  created_at: record.createdAt,
  spec: JSON.stringify(record.spec),
  status: JSON.stringify(record.status),
});

function fromRow(row: rows.InstanceRow): InstanceRecord {
  return {
    id: asInstanceId(row.uuid),
    sequence: row.sequence,
    account: asAccountId(row.account),
    name: row.name,
    address: row.address,
    createdAt: row.created_at,
    // What a record of an older version does not have yet.
    spec: {
      media: null,
      scaleToZero: null,
      roms: [],
      lineage: [],
      preparation: false,
      forkedFrom: null,
      forkFamily: null,
      scaledFor: null,
      replaces: null,
      tty: false,
      stdinOpen: false,
      ...JSON.parse(row.spec),
    },
    status: { ...neverStarted, ...JSON.parse(row.status) },
  };
}
