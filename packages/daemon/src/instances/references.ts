import { messages } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import { type AccountId, asInstanceId, type InstanceId, isUuid } from "@uni/contract/ids";
import { nearHint } from "../base/near-names.ts";
import type { InstanceRecord } from "./record.ts";
import type { Registry } from "./registry.ts";

/** Exactly one of uuid and name, matched exactly, within the account. */
export function resolveReference(
  registry: Registry,
  account: AccountId,
  reference: { readonly uuid?: string | undefined; readonly name?: string | undefined },
): InstanceId {
  if (reference.uuid !== undefined) {
    if (!isUuid(reference.uuid)) throw new UniError("invalid_value", messages.invalidUuid(reference.uuid));
    const record = registry.find(asInstanceId(reference.uuid));
    if (record?.account === account) return record.id;
    throw new UniError("not_found", messages.noSuch("instance", "uuid", reference.uuid));
  }
  const name = reference.name ?? "";
  const record = registry.findByName(account, name);
  if (record !== undefined) return record.id;
  throw new UniError("not_found", messages.noSuch("instance", "name", name));
}

/** For people: uuid, name, or a prefix of a uuid that fits one instance only. Names win. */
export function resolveLoosely(registry: Registry, account: AccountId, text: string): InstanceId {
  const wanted = text.trim();
  const named = registry.findByName(account, wanted);
  if (named !== undefined) return named.id;
  const prefix = wanted.toLowerCase();
  const hits = /^[0-9a-f-]+$/.test(prefix)
    ? registry.ofAccount(account).filter((record) => record.id.startsWith(prefix))
    : [];
  const [only, ...others] = hits;
  if (only !== undefined && others.length === 0) return only.id;
  if (only !== undefined) {
    throw new UniError("ambiguous", `find instance '${wanted}': it fits ${hits.length}: ${describe(hits)}`, {
      hint: "Give more digits, or the name.",
    });
  }
  throw new UniError("not_found", `No instance with name or uuid '${wanted}'`, {
    hint: nearHint(
      wanted,
      registry.ofAccount(account).map((record) => record.name),
      "'uni ps -a' lists all instances.",
    ),
  });
}

const describe = (records: readonly InstanceRecord[]): string =>
  records
    .slice(0, 10)
    .map((record) => `${record.id.slice(0, 8)} ${record.name} (${record.status.state})`)
    .join(", ");
