import { UniError } from "@uni/contract/errors";
import type { ServiceGroup } from "@uni/contract/resources/service-group";
import type { Service, ServiceDomain } from "@uni/contract/resources/service-parts";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { collectServiceDomains } from "../../parse/service-domain.ts";
import { collectServicePorts } from "../../parse/service-port.ts";
import { parseSeconds } from "../../parse/time-span.ts";
import { addLimitOptions } from "../../service-group-options.ts";

interface Options {
  readonly publish?: readonly Service[];
  readonly domain?: readonly ServiceDomain[];
  readonly softLimit?: number;
  readonly hardLimit?: number;
  readonly autokill?: number;
}

export const servicesCreate: CommandModule = {
  examples: [
    "uni services create shop -p 443:8080 --domain shop",
    "uni services create db -p 5432:5432/tls --domain db.example.com.",
    "uni services create www -p 443:8080 --domain www.example.com.=my-certificate",
    "uni services create api -p 443:80/http+tls --soft-limit 10 --hard-limit 100",
  ],
  define(command, act) {
    command
      .argument("[name]", "name of the group; random words otherwise")
      .option(
        "-p, --publish <public:guest/handlers>",
        "publish a port, such as 5432:5432/tls; 443:GUEST is HTTPS with a redirect from 80; repeatable",
        collectServicePorts,
      )
      .option(
        "--domain <name>",
        "a label, or a full name with its final dot, =CERTIFICATE if you like; repeatable",
        collectServiceDomains,
      )
      .option("--autokill <span>", "remove it once it has been empty for so long", parseSeconds);
    addLimitOptions(command).action(
      act(async ({ client, out, signal }, name: string | undefined, options: Options) => {
        const { publish, domain, softLimit, hardLimit, autokill } = options;
        if (publish === undefined) {
          throw new UniError("malformed", "creating a service group: no port was given", {
            hint: "Publish one: -p 443:8080",
          });
        }
        const body = {
          services: publish,
          ...(name === undefined ? {} : { name }),
          ...(domain === undefined ? {} : { domains: domain }),
          ...(softLimit === undefined ? {} : { soft_limit: softLimit }),
          ...(hardLimit === undefined ? {} : { hard_limit: hardLimit }),
          ...(autokill === undefined ? {} : { autokill: { time_ms: Math.round(autokill * 1000) } }),
        };
        const envelope = await client.operation("createServiceGroup", { body }, { signal });
        const [group] = envelopeItems<ServiceGroup>(envelope, "service_groups", "creating a service group");
        await out.show(group, { text: () => `${group?.name}\n` });
        for (const { fqdn } of group?.domains ?? []) out.note(`It is reached as ${fqdn}.`);
      }),
    );
  },
};
