import type { AccountId } from "@uni/contract/ids";
import type { InstanceRecord } from "./record.ts";
import type { Registry } from "./registry.ts";

export interface Page {
  /** Infinity for all. */
  readonly count: number;
  /** The page begins after this instance (it may be gone), or after this time (ISO 8601). */
  readonly from?: string | undefined;
  readonly order: "asc" | "desc";
  /** All of them must be on the instance. */
  readonly tags: readonly string[];
}

/** An unknown cursor gives an empty page: it can only be of an instance that went long ago. */
export function pageOf(registry: Registry, account: AccountId, page: Page): InstanceRecord[] {
  let records = registry.ofAccount(account);
  if (page.tags.length > 0)
    records = records.filter(({ spec }) => page.tags.every((tag) => spec.tags.includes(tag)));
  if (page.order === "desc") records.reverse();
  if (page.from !== undefined) records = after(registry, records, page.from, page.order);
  return Number.isFinite(page.count) ? records.slice(0, page.count) : records;
}

function after(
  registry: Registry,
  records: InstanceRecord[],
  from: string,
  order: "asc" | "desc",
): InstanceRecord[] {
  const sequence = registry.sequenceOf(from);
  if (sequence !== undefined) {
    return records.filter((record) =>
      order === "asc" ? record.sequence > sequence : record.sequence < sequence,
    );
  }
  const time = Date.parse(from);
  if (Number.isNaN(time)) return [];
  return records.filter((record) => (order === "asc" ? record.createdAt >= time : record.createdAt <= time));
}
