/** Configurations for tests, made as requests make them. */
import { asInstanceId } from "@uni/contract/ids";
import type { ScalePolicy } from "@uni/contract/resources/autoscale";
import { configurationOf, withPolicy } from "./policies.ts";
import type { Configuration, Policy } from "./record.ts";

export function policyNamed(request: ScalePolicy): Policy {
  const [policy] = withPolicy([], request);
  if (policy === undefined) throw new Error("no policy was made");
  return policy;
}

export const withPolicies = (
  policies: readonly Policy[],
  more: Partial<Configuration> = {},
): Configuration => ({
  ...configurationOf({}, { template: asInstanceId("template"), roms: [] }, policies),
  ...more,
});
