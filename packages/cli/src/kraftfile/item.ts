/** Values of a Kraftfile with their keys and lines, for errors that say where. */
import { UniError } from "@uni/contract/errors";
import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node } from "yaml";

export interface KraftText {
  readonly path: string;
  readonly document: Document;
  readonly lines: LineCounter;
  /** Aliases that may still be followed. */
  aliases: number;
}

export class Item {
  readonly key: string;
  readonly #text: KraftText;
  readonly #node: Node | null;
  readonly #line: number;

  /** `near` is where the key stands, for values that are nowhere. */
  constructor(text: KraftText, key: string, node: unknown, near: number) {
    this.key = key;
    this.#text = text;
    this.#line = near;
    this.#node = this.#resolve(node as Node | null);
  }

  error(
    reason: string,
    hint?: string,
    code: "malformed" | "not_supported" | "not_found" = "malformed",
  ): UniError {
    const what = this.key === "" ? "" : `${this.key}: `;
    return new UniError(
      code,
      `reading ${this.#text.path} line ${this.#line}: ${what}${reason}`,
      hint === undefined ? {} : { hint },
    );
  }

  get isText(): boolean {
    return isScalar(this.#node) && this.#node.value !== null;
  }

  get isMap(): boolean {
    return isMap(this.#node);
  }

  /** A scalar as it is written: a number keeps its zeroes. */
  text(): string {
    if (!isScalar(this.#node) || this.#node.value === null) throw this.error("it is not a word or a number");
    const { value, source } = this.#node;
    const text = typeof value === "string" ? value : (source ?? String(value));
    if (text.includes("\0")) throw this.error("it contains a NUL character");
    return text;
  }

  list(): Item[] {
    if (!isSeq(this.#node)) throw this.error("it is not a list");
    return this.#node.items.map((node, index) => this.#child(`${this.key}[${index}]`, node));
  }

  /** In the order of the file. */
  map(): ReadonlyMap<string, Item> {
    if (!isMap(this.#node)) throw this.error("it is not a map of keys and values");
    const members = new Map<string, Item>();
    for (const { key, value } of this.#node.items) {
      const name = this.#child(this.key, key).text();
      const line = this.#lineOf(key as Node);
      members.set(
        name,
        new Item(this.#text, this.key === "" ? name : `${this.key}.${name}`, value, line ?? this.#line),
      );
    }
    return members;
  }

  #child(key: string, node: unknown): Item {
    return new Item(this.#text, key, node, this.#lineOf(node as Node) ?? this.#line);
  }

  #lineOf(node: Node | null): number | undefined {
    const start = node?.range?.[0];
    return start === undefined ? undefined : this.#text.lines.linePos(start).line;
  }

  #resolve(node: Node | null): Node | null {
    if (!isAlias(node)) return node;
    if (--this.#text.aliases < 0) throw this.error("there are too many aliases in this file");
    return node.resolve(this.#text.document) ?? null;
  }
}
