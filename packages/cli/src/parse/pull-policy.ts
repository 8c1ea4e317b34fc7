import type { PullPolicy } from "@uni/contract/enums";
import { UniError } from "@uni/contract/errors";

/** Docker's words, and the API's. */
const policies: Readonly<Record<string, PullPolicy>> = {
  always: "always",
  missing: "if_not_present",
  if_not_present: "if_not_present",
  never: "never",
};

export function parsePullPolicy(text: string): PullPolicy {
  const policy = Object.hasOwn(policies, text) ? policies[text] : undefined;
  if (policy !== undefined) return policy;
  throw new UniError("invalid_value", `reading --pull '${text}': it is always, missing or never`);
}
