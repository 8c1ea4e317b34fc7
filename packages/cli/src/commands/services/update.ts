import { UniError } from "@uni/contract/errors";
import type { ServiceGroup, ServiceGroupUpdate } from "@uni/contract/resources/service-group";
import type { Service, ServiceDomain } from "@uni/contract/resources/service-parts";
import { envelopeItems } from "@uni/sdk/envelope-items";
import { type CommandModule, collect } from "../../define.ts";
import { parsePort } from "../../parse/port-map.ts";
import { collectServiceDomains } from "../../parse/service-domain.ts";
import { collectServicePorts } from "../../parse/service-port.ts";
import { parseSeconds } from "../../parse/time-span.ts";
import { referenceOf } from "../../reference.ts";
import { addLimitOptions } from "../../service-group-options.ts";

interface Options {
  readonly publish?: readonly Service[];
  readonly rmPort?: readonly number[];
  readonly domain?: readonly ServiceDomain[];
  readonly rmDomain?: readonly string[];
  readonly softLimit?: number;
  readonly hardLimit?: number;
  readonly autokill?: number;
}

const collectPort = (text: string, before: readonly number[] | undefined): number[] => [
  ...(before ?? []),
  parsePort(text, "Give the public port."),
];

const named = (names: readonly string[]) => names.map((name) => ({ name }));

/** Additions come first: a group is never without a port or a domain. */
function updatesOf(options: Options): ServiceGroupUpdate[] {
  const { publish, rmPort, domain, rmDomain, softLimit, hardLimit, autokill } = options;
  const updates: ServiceGroupUpdate[] = [];
  if (publish !== undefined) updates.push({ prop: "services", op: "add", value: publish });
  if (rmPort !== undefined) {
    updates.push({ prop: "services", op: "del", value: rmPort.map((port) => ({ port })) });
  }
  if (domain !== undefined) updates.push({ prop: "domains", op: "add", value: domain });
  if (rmDomain !== undefined) updates.push({ prop: "domains", op: "del", value: named(rmDomain) });
  if (hardLimit !== undefined) updates.push({ prop: "hard_limit", op: "set", value: hardLimit });
  if (softLimit !== undefined) updates.push({ prop: "soft_limit", op: "set", value: softLimit });
  if (autokill !== undefined) {
    updates.push({ prop: "autokill", op: "set", value: { time_ms: Math.round(autokill * 1000) } });
  }
  return updates;
}

export const servicesUpdate: CommandModule = {
  examples: [
    "uni services update shop --soft-limit 10 --hard-limit 100",
    "uni services update shop --domain www.example.com. --rm-domain shop",
    "uni services update shop -p 5432:5432/tls --rm-port 80 --autokill 0",
  ],
  define(command, act) {
    command
      .argument("<name>", "service group")
      .option("-p, --publish <public:guest/handlers>", "publish a port; repeatable", collectServicePorts)
      .option("--rm-port <port>", "do not publish a port any more; repeatable", collectPort)
      .option("--domain <name>", "add a name, =CERTIFICATE if you like; repeatable", collectServiceDomains)
      .option("--rm-domain <name>", "remove a name; repeatable", collect)
      .option("--autokill <span>", "remove it once it has been empty for so long; 0: never", parseSeconds);
    addLimitOptions(command).action(
      act(async ({ client, out, signal }, name: string, options: Options) => {
        const updates = updatesOf(options);
        if (updates.length === 0) {
          throw new UniError("malformed", `updating '${name}': nothing to change was given`, {
            hint: "See uni services update --help.",
          });
        }
        const body = updates.map((update) => ({ ...referenceOf(name), ...update }));
        const envelope = await client.operation("updateServiceGroups", { body }, { signal });
        const [updated] = envelopeItems<ServiceGroup>(envelope, "service_groups", `updating '${name}'`);
        await out.show({ uuid: updated?.uuid, name: updated?.name }, { text: () => `${updated?.name}\n` });
      }),
    );
  },
};
