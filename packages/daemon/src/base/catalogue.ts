/** Records of one kind in memory: by id, by name within an account, and in pages. */
import { messages } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import { type AccountId, isUuid } from "@uni/contract/ids";
import { nearHint } from "./near-names.ts";

export const mostPerAccount = 1_000;

export interface Listed {
  readonly id: string;
  /** Order of creation; the page cursor. */
  readonly sequence: number;
  readonly account: AccountId;
  readonly name: string;
  readonly createdAt: number;
}

export interface Page {
  /** Infinity for all. */
  readonly count: number;
  /** The page begins after this one (it may be gone), or after this time (ISO 8601). */
  readonly from?: string | undefined;
  readonly order: "asc" | "desc";
}

export interface NameOrId {
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
}

export class Catalogue<Item extends Listed> {
  readonly #kind: string;
  readonly #byId = new Map<string, Item>();
  readonly #deleted: Map<string, number>;

  constructor(kind: string, deleted: ReadonlyMap<string, number>) {
    this.#kind = kind;
    this.#deleted = new Map(deleted);
  }

  put(item: Item): void {
    this.#byId.set(item.id, item);
  }

  drop(id: Item["id"]): void {
    const item = this.#byId.get(id);
    if (item === undefined) return;
    this.#byId.delete(id);
    this.#deleted.set(id, item.sequence);
  }

  /** Oldest first. */
  all(): Item[] {
    return [...this.#byId.values()];
  }

  ofAccount(account: AccountId): Item[] {
    return this.all().filter((item) => item.account === account);
  }

  find(id: Item["id"]): Item | undefined {
    return this.#byId.get(id);
  }

  get(id: Item["id"]): Item {
    const item = this.#byId.get(id);
    if (item === undefined) throw new UniError("not_found", messages.noSuch(this.#kind, "uuid", id));
    return item;
  }

  /** Exactly one of uuid and name, matched exactly, within the account. */
  resolve(account: AccountId, { uuid, name = "" }: NameOrId): Item {
    if (uuid !== undefined && !isUuid(uuid)) throw new UniError("invalid_value", messages.invalidUuid(uuid));
    const found = this.ofAccount(account).find((item) =>
      uuid === undefined ? item.name === name : item.id === uuid,
    );
    if (found !== undefined) return found;
    const [by, value] = uuid === undefined ? (["name", name] as const) : (["uuid", uuid] as const);
    const names = this.ofAccount(account).map((item) => item.name);
    const hint = uuid === undefined ? nearHint(name, names) : undefined;
    throw new UniError(
      "not_found",
      messages.noSuch(this.#kind, by, value),
      hint === undefined ? {} : { hint },
    );
  }

  /** There is room for one more, on top of `others` that are about to come, and nothing has its name. */
  requireFree(account: AccountId, name: string, others = 0): void {
    const own = this.ofAccount(account);
    if (own.length + others >= mostPerAccount) {
      throw new UniError(
        "quota_exceeded",
        `An account has at most ${mostPerAccount} of a kind: ${this.#kind}`,
      );
    }
    const holder = own.find((item) => item.name === name);
    if (holder === undefined) return;
    throw new UniError("already_exists", `A ${this.#kind} with the name '${name}' already exists`, {
      hint: `Choose another name, or remove ${holder.id} first.`,
    });
  }

  page(account: AccountId, { count, from, order }: Page): Item[] {
    const sorted = this.ofAccount(account);
    if (order === "desc") sorted.reverse();
    const items = from === undefined ? sorted : this.#after(sorted, from, order);
    return Number.isFinite(count) ? items.slice(0, count) : items;
  }

  /** An unknown cursor gives an empty page: it can only be of something that went long ago. */
  #after(items: readonly Item[], from: string, order: Page["order"]): Item[] {
    const sequence = this.#byId.get(from)?.sequence ?? this.#deleted.get(from);
    if (sequence !== undefined) {
      return items.filter((item) => (order === "asc" ? item.sequence > sequence : item.sequence < sequence));
    }
    const time = Date.parse(from);
    if (Number.isNaN(time)) return [];
    return items.filter((item) => (order === "asc" ? item.createdAt >= time : item.createdAt <= time));
  }
}
