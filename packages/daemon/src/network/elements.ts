/** The elements of the sets and maps in `ruleset.ts`, as text that compares: what an attachment adds and takes away. */

import { type AccountBlocks, blockPrefix } from "./account-blocks.ts";
import { formatPrefix } from "./addresses.ts";
import type { Names } from "./names.ts";
import type { Attachment } from "./port.ts";

export interface Element {
  readonly family: "inet" | "arp";
  readonly set: string;
  readonly key: string;
  /** Of a map. */
  readonly value?: string | undefined;
}

/** Names an element without its value. */
export const slot = (element: Element): string => `${element.family} ${element.set} ${element.key}`;

/** Names an element with its value: two with the same text are the same. */
export const elementText = (element: Element): string =>
  `${element.family} ${element.set} ${content(element)}`;

/** The guest that an element is for; undefined for the siblings, which are for none in particular. */
export function guestAddress(element: Element): string | undefined {
  if (element.set === "siblings") return undefined;
  if (element.set === "addresses") return element.key;
  return element.value === undefined ? element.key.split(" . ")[2] : element.value.split(" . ")[0];
}

export function elementsOf(attachment: Attachment): readonly Element[] {
  const guest = [`"${attachment.tap}"`, attachment.mac, attachment.address].join(" . ");
  const ports = attachment.ports.map((port): Element => {
    const key = `${port.protocol} . ${port.hostPort}`;
    const value = `${attachment.address} . ${port.guestPort}`;
    return port.hostAddress === "0.0.0.0"
      ? { family: "inet", set: "ports", key, value }
      : { family: "inet", set: "ports_at", key: `${port.hostAddress} . ${key}`, value };
  });
  return [
    { family: "inet", set: "addresses", key: attachment.address },
    { family: "inet", set: "guests", key: guest },
    { family: "arp", set: "guests", key: guest },
    ...ports,
  ];
}

/** Every pair of blocks of one account: packets between them are let through. */
export function siblingElements(names: Names, blocks: AccountBlocks): readonly Element[] {
  return [...blocks.values()].flatMap((own) => {
    const prefixes = own.map((block) => formatPrefix(blockPrefix(names.pool, block)));
    return prefixes.flatMap((from) =>
      prefixes.map((to): Element => ({ family: "inet", set: "siblings", key: `${from} . ${to}` })),
    );
  });
}

export const addElement = (names: Names, element: Element): string =>
  `add element ${element.family} ${names.table} ${element.set} { ${content(element)} }`;

/** The kernel wants a map element's value too. */
export const deleteElement = (names: Names, element: Element): string =>
  `delete element ${element.family} ${names.table} ${element.set} { ${content(element)} }`;

const content = (element: Element): string =>
  element.value === undefined ? element.key : `${element.key} : ${element.value}`;
