import type { Certificate } from "@uni/contract/resources/certificate";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";
import { queryReference } from "../../reference.ts";
import { renderFields } from "../../render/table.ts";

const textOf = (certificate: Certificate): string => {
  const { validation } = certificate;
  return renderFields([
    ["name", certificate.name],
    ["uuid", certificate.uuid],
    ["common name", certificate.common_name],
    ["state", certificate.state],
    ["try", validation === undefined ? undefined : `${validation.attempt}, at ${validation.next}`],
    ["last failure", validation?.reason],
    ["subject", certificate.subject],
    ["issuer", certificate.issuer],
    ["serial", certificate.serial_number],
    ["begins", certificate.not_before],
    ["ends", certificate.not_after],
    ["used by", certificate.service_groups?.map(({ name }) => name).join(" ")],
    ["created", certificate.created_at],
  ]);
};

export const certsGet: CommandModule = {
  examples: ["uni certs get star", "uni certs get star -o json"],
  define(command, act) {
    command.argument("<names...>", "certificates").action(
      act(async (context, names: string[]) => {
        const { client, signal } = context;
        return forEachItem(
          context,
          names,
          async (name) => {
            const envelope = await client.operation("getCertificates", queryReference(name), { signal });
            const [found] = envelopeItems<Certificate>(envelope, "certificates", `finding '${name}'`);
            return found as Certificate;
          },
          textOf,
        );
      }),
    );
  },
};
