import { messages } from "@uni/contract/envelope";
import { toUniError, UniError } from "@uni/contract/errors";
import { type AccountId, type InstanceId, isUuid } from "@uni/contract/ids";
import type { Log } from "../base/log.ts";
import type { Call } from "./call.ts";
import { failedItem, type Item } from "./outcome.ts";
import type { InstancesPort, Reference } from "./port.ts";

/** Exactly one of uuid and name, and a uuid that is one; else the whole request is refused. */
export function readReference(given: Reference): Reference {
  if (given.uuid !== undefined && given.name !== undefined) {
    throw new UniError("exclusive", "Only one of 'uuid' and 'name' can be given");
  }
  if (given.uuid !== undefined) return { uuid: readUuid(given.uuid) };
  if (given.name !== undefined) return { name: given.name };
  throw new UniError("invalid_value", "One of 'uuid' and 'name' must be given");
}

/** For people: a uuid is one, anything else is a name. */
export const readNameOrUuid = (text: string): Reference => (isUuid(text) ? { uuid: text } : { name: text });

export function readUuid(text: string): string {
  const uuid = text.toLowerCase();
  if (!isUuid(uuid)) throw new UniError("invalid_value", messages.invalidUuid(text));
  return uuid;
}

/** Uuids first, then names, as positions of parallel lists count. */
export function queryReferences(query: {
  readonly uuid?: readonly string[];
  readonly name?: readonly string[];
}): Reference[] {
  return [
    ...(query.uuid ?? []).map((uuid) => ({ uuid })),
    ...(query.name ?? []).map((name) => ({ name })),
  ].map(readReference);
}

/** The instance meant, or `not_found` in the words that clients match. */
export function resolveExactly(
  instances: InstancesPort,
  account: AccountId,
  reference: Reference,
): InstanceId {
  try {
    return instances.resolve(account, reference);
  } catch (error) {
    if (!(error instanceof UniError) || error.code !== "not_found") throw error;
    const [by, value] =
      reference.uuid === undefined
        ? (["name", reference.name ?? ""] as const)
        : (["uuid", reference.uuid] as const);
    throw new UniError("not_found", messages.noSuch("instance", by, value), { cause: error });
  }
}

/** The items of a bulk body, or the one of a by-uuid call, each with what it refers to. */
export function bodyItems<T extends Reference>(call: Call): { reference: Reference; item: T }[] {
  if (call.uuid !== undefined) {
    const reference = { uuid: readUuid(call.uuid) };
    return [{ reference, item: { ...(call.body as T | undefined), ...reference } as T }];
  }
  return (call.body as readonly T[]).map((item) => ({ reference: readReference(item), item }));
}

/** Runs one item; what it throws becomes its failed entry. */
export async function attempt(
  log: Log,
  reference: Reference,
  act: () => Promise<Item> | Item,
): Promise<Item> {
  try {
    return await act();
  } catch (error) {
    const failure = toUniError(error, "Internal error");
    if (failure.code === "internal") log.error({ err: error, ...reference }, "an operation failed");
    return failedItem(reference, failure);
  }
}
