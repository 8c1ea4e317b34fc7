import { isUuid } from "@uni/contract/ids";
import type { AutoscaleGroup } from "@uni/contract/resources/autoscale";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { Context } from "../../context.ts";
import { queryReference } from "../../reference.ts";

/** Operations on policies name the group by its uuid alone. */
export async function groupUuid({ client, signal }: Context, name: string): Promise<string> {
  if (isUuid(name)) return name;
  const envelope = await client.operation("getAutoscaleConfigurations", queryReference(name), { signal });
  const [group] = envelopeItems<AutoscaleGroup>(envelope, "service_groups", `finding '${name}'`);
  return group?.uuid ?? name;
}
