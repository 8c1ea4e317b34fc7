import type { Certificate } from "@uni/contract/resources/certificate";
import { renderFields } from "../../render/table.ts";
import { getCommand } from "../../resource-commands.ts";

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

export const certsGet = getCommand({
  examples: ["uni certs get star", "uni certs get star -o json"],
  many: "certificates",
  operation: "getCertificates",
  key: "certificates",
  text: textOf,
});
