/** Named things of the memory core. */
import { messages } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import type { Page, Reference } from "./port.ts";

export class Shelf<Item extends { readonly uuid: string; readonly name: string }> {
  readonly #kind: string;
  readonly #items = new Map<string, Item>();

  constructor(kind: string) {
    this.#kind = kind;
  }

  add(item: Item): Item {
    if ([...this.#items.values()].some(({ name }) => name === item.name)) {
      throw new UniError("already_exists", `create ${this.#kind} ${item.name}: the name is taken`);
    }
    return this.put(item);
  }

  put(item: Item): Item {
    this.#items.set(item.uuid, item);
    return item;
  }

  get({ uuid, name = "" }: Reference): Item {
    const all = [...this.#items.values()];
    const found = all.find((item) => (uuid === undefined ? item.name === name : item.uuid === uuid));
    if (found !== undefined) return found;
    const [by, value] = uuid === undefined ? (["name", name] as const) : (["uuid", uuid] as const);
    throw new UniError("not_found", messages.noSuch(this.#kind, by, value));
  }

  remove(reference: Reference): Item {
    const item = this.get(reference);
    this.#items.delete(item.uuid);
    return item;
  }

  page({ count, from, order }: Page): Item[] {
    const all = [...this.#items.values()];
    if (order === "desc") all.reverse();
    const start = from === undefined ? 0 : all.findIndex(({ uuid }) => uuid === from) + 1;
    return all.slice(start, Number.isFinite(count) ? start + count : undefined);
  }
}
