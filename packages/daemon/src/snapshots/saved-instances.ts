/**
 * All templates and checkpoints, in memory and in the store. Changes go one after the other; memory follows the store. Names
 * are unique together with those of instances, which the store sees to.
 */
import { messages } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import { type AccountId, asAccountId, asInstanceId, type InstanceId } from "@uni/contract/ids";
import { Catalogue, type NameOrId } from "../base/catalogue.ts";
import { TaskQueue } from "../base/task-queue.ts";
import type { Registry } from "../instances/registry.ts";
import { listCursors } from "../store/cursors.ts";
import type { SaveOptions } from "../store/instances.ts";
import type { Database } from "../store/open.ts";
import * as rows from "../store/saved-instances.ts";
import type { NewSaved, SavedContent, SavedInstance, SavedKind } from "./record.ts";

export class SavedInstances {
  readonly #db: Database;
  readonly #byKind: Readonly<Record<SavedKind, Catalogue<SavedInstance>>>;
  readonly #changes = new TaskQueue();
  readonly #listeners = new Set<() => void>();

  private constructor(db: Database, deleted: ReadonlyMap<string, number>) {
    this.#db = db;
    this.#byKind = {
      template: new Catalogue("template", deleted),
      checkpoint: new Catalogue("checkpoint", deleted),
    };
  }

  static async open(db: Database): Promise<SavedInstances> {
    const saved = new SavedInstances(db, await listCursors(db, "deleted_saved_instances"));
    for (const row of await rows.listSaved(db)) saved.#put(fromRow(row));
    return saved;
  }

  /** Called after every change. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  of(kind: SavedKind): Catalogue<SavedInstance> {
    return this.#byKind[kind];
  }

  all(): SavedInstance[] {
    return [...this.#byKind.template.all(), ...this.#byKind.checkpoint.all()];
  }

  find(id: InstanceId): SavedInstance | undefined {
    return this.#byKind.template.find(id) ?? this.#byKind.checkpoint.find(id);
  }

  findByName(account: AccountId, name: string): SavedInstance | undefined {
    return this.all().find((saved) => saved.account === account && saved.name === name);
  }

  resolve(kind: SavedKind, account: AccountId, reference: NameOrId): SavedInstance {
    return this.#byKind[kind].resolve(account, reference);
  }

  /** All of them or none; of one kind and account. */
  create(made: readonly NewSaved[]): Promise<SavedInstance[]> {
    return this.#change(async () => {
      for (const [index, { kind, account, name }] of made.entries()) {
        this.#byKind[kind].requireFree(account, name, index);
      }
      const sequences = await rows.insertSaved(this.#db, made.map(toRow));
      return made.map((saved, index) => this.#put({ ...saved, sequence: sequences[index] ?? 0 }));
    });
  }

  /** The instance of this id is one no more. */
  convert(made: NewSaved, registry: Registry, now: number): Promise<SavedInstance> {
    return this.#change(async () => {
      let sequence = 0;
      await registry.remove(made.id, now, async () => {
        sequence = await rows.convertInstance(this.#db, toRow(made), now);
        this.#put({ ...made, sequence });
      });
      return this.#byKind[made.kind].get(made.id);
    });
  }

  /** `make` gets the content as it then is, and throws to leave it so. */
  update(
    id: InstanceId,
    make: (content: SavedContent) => SavedContent,
    options?: SaveOptions,
  ): Promise<SavedInstance> {
    return this.#change(async () => {
      const before = this.#get(id);
      const after = { ...before, content: make(before.content) };
      await rows.saveSaved(this.#db, id, JSON.stringify(after.content), options);
      return this.#put(after);
    });
  }

  /** Refused while it is locked. Instances that were made of it keep what they need. */
  remove(id: InstanceId, now: number): Promise<void> {
    return this.#change(async () => {
      const { kind, name, content } = this.#get(id);
      if (content.spec.deleteLock) {
        throw new UniError("delete_locked", messages.deletionLocked, {
          hint: `Set delete_lock to false first: uni ${kind} update ${name} --no-delete-lock`,
        });
      }
      await rows.deleteSaved(this.#db, id, now);
      this.#byKind[kind].drop(id);
    });
  }

  #get(id: InstanceId): SavedInstance {
    return this.find(id) ?? this.#byKind.template.get(id);
  }

  #put(saved: SavedInstance): SavedInstance {
    this.#byKind[saved.kind].put(saved);
    return saved;
  }

  async #change<T>(body: () => Promise<T>): Promise<T> {
    const result = await this.#changes.run(body);
    for (const listener of [...this.#listeners]) listener();
    return result;
  }
}

const toRow = (saved: NewSaved) => ({
  uuid: saved.id,
  account: saved.account,
  kind: saved.kind,
  name: saved.name,
  created_at: saved.createdAt,
  content: JSON.stringify(saved.content),
});

const fromRow = (row: rows.SavedRow): SavedInstance => ({
  id: asInstanceId(row.uuid),
  sequence: row.sequence,
  account: asAccountId(row.account),
  kind: row.kind as SavedKind,
  name: row.name,
  createdAt: row.created_at,
  content: readContent(row.content),
});

/** With what one of an older version does not have yet. */
function readContent(text: string): SavedContent {
  const content = JSON.parse(text) as SavedContent;
  return { ...content, spec: { ...content.spec, media: content.spec.media ?? null } };
}
