import { messages } from "@uni/contract/envelope";
import { UniError } from "@uni/contract/errors";
import type { Call } from "./call.ts";
import { type Answer, failedItem, items } from "./outcome.ts";
import type { NodePort } from "./port.ts";
import { readUuid } from "./references.ts";

/** Versions help an attacker choose: without a token only the checks are shown. */
export async function healthz(node: NodePort, call: Call): Promise<Answer> {
  const { versions, ...rest } = await node.healthz();
  return { kind: "data", data: call.authenticated && versions !== undefined ? { ...rest, versions } : rest };
}

export function getQuotas(node: NodePort, call: Call): Answer {
  if (call.uuid !== undefined) {
    const uuid = readUuid(call.uuid);
    if (uuid !== call.account) {
      return items([failedItem({ uuid }, new UniError("not_found", messages.noSuch("user", "uuid", uuid)))]);
    }
  }
  return items([node.quotas(call.account)]);
}

export const listMetros = (node: NodePort): Answer => items(node.metros());
