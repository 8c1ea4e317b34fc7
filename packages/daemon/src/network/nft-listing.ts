/** Reads `nft -j list table`: which of our chains, rules, sets and elements the kernel has. */
import type { Element } from "./elements.ts";
import { type Chain, type NamedSet, ruleComment, type Table } from "./ruleset.ts";

export interface TableListing {
  /** One line per set, chain and rule, as `frameOf` makes them. */
  readonly frame: readonly string[];
  readonly elements: readonly Element[];
}

export const noListing: TableListing = { frame: [], elements: [] };

/** The frame of a table that nobody touched. */
export function frameOf(table: Table): readonly string[] {
  return [
    ...table.sets.map(describeSet),
    ...table.chains.map(describeChain),
    ...table.chains.flatMap((chain) =>
      chain.rules.map((rule, index) => describeRule(chain.name, index, ruleComment(rule))),
    ),
  ].sort();
}

export function readListing(family: "inet" | "arp", items: readonly unknown[]): TableListing {
  const frame: string[] = [];
  const elements: Element[] = [];
  const rulesInChain = new Map<string, number>();
  for (const { set, map, chain, rule } of items as readonly ListedItem[]) {
    if (set !== undefined) frame.push(describeSet({ kind: "set", ...setTypes(set) }));
    if (map !== undefined) frame.push(describeSet({ kind: "map", ...setTypes(map) }));
    for (const listed of [set, map]) {
      for (const element of listed?.elem ?? [])
        elements.push(readElement(family, listed?.name ?? "", element));
    }
    if (chain !== undefined) frame.push(describeChain(readChain(chain)));
    if (rule !== undefined) {
      const index = rulesInChain.get(rule.chain) ?? 0;
      rulesInChain.set(rule.chain, index + 1);
      frame.push(describeRule(rule.chain, index, rule.comment ?? "without comment"));
    }
  }
  return { frame: frame.sort(), elements };
}

interface ListedSet {
  readonly name: string;
  readonly type: string | readonly string[];
  readonly map?: string;
  readonly flags?: readonly string[];
  readonly elem?: readonly unknown[];
}

interface ListedChain {
  readonly name: string;
  readonly type?: "filter" | "nat";
  readonly hook?: string;
  readonly prio?: number;
}

interface ListedItem {
  readonly set?: ListedSet;
  readonly map?: ListedSet;
  readonly chain?: ListedChain;
  readonly rule?: { readonly chain: string; readonly comment?: string };
}

const describeSet = (set: NamedSet): string =>
  [
    set.kind,
    set.name,
    set.key.join(" . "),
    set.value?.join(" . ") ?? "-",
    set.interval === true ? "interval" : "plain",
  ].join(" | ");

const describeChain = ({ name, hook }: Pick<Chain, "name" | "hook">): string =>
  `chain | ${name} | ${hook === undefined ? "-" : `${hook.type} ${hook.hook} ${hook.priority}`}`;

const describeRule = (chain: string, index: number, comment: string): string =>
  `rule | ${chain} | ${index} | ${comment}`;

const setTypes = (set: ListedSet): Omit<NamedSet, "kind"> => ({
  name: set.name,
  key: typeof set.type === "string" ? [set.type] : set.type,
  ...(set.map === undefined ? {} : { value: set.map.split(" . ") }),
  interval: set.flags?.includes("interval") ?? false,
});

const readChain = ({ name, type, hook, prio }: ListedChain): Pick<Chain, "name" | "hook"> =>
  type === undefined || hook === undefined ? { name } : { name, hook: { type, hook, priority: prio ?? 0 } };

/** A set's element is its key; a map's is [key, value]. */
function readElement(family: "inet" | "arp", set: string, element: unknown): Element {
  if (!Array.isArray(element)) return { family, set, key: readKey(set, element) };
  return { family, set, key: readKey(set, element[0]), value: readKey(set, element[1]) };
}

interface Concatenation {
  readonly concat?: readonly unknown[];
}

function readKey(set: string, key: unknown): string {
  // A string has a method of that name.
  const parts = typeof key === "string" ? [key] : ((key as Concatenation).concat ?? [key]);
  return parts
    .map((part, index) => {
      const prefix = (part as { prefix?: { addr: string; len: number } }).prefix;
      if (prefix !== undefined) return `${prefix.addr}/${prefix.len}`;
      // Device names are quoted in scripts, as they could be keywords.
      return set === "guests" && index === 0 ? `"${String(part)}"` : String(part);
    })
    .join(" . ");
}
