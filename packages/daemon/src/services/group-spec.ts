/** From requests to what is stored of a service group. Pure. */
import { UniError } from "@uni/contract/errors";
import type { CertificateId } from "@uni/contract/ids";
import { limits } from "@uni/contract/limits";
import type { NameOrUuid } from "@uni/contract/resources/reference";
import type { Service, ServiceDomain } from "@uni/contract/resources/service-parts";
import { covers, fqdnOf, isFullName, readDomainName } from "./domains.ts";
import { generatedName, labelFor } from "./names.ts";
import { readServices } from "./port-rules.ts";
import type { CertificateRecord, GroupDomain, GroupSpec } from "./record.ts";

/** What the rules need to know of the node and of the account. */
export interface GroupSurroundings {
  readonly nodeDomain: string;
  readonly now: number;
  /** Of the account. */
  readonly certificates: readonly CertificateRecord[];
  /** A wildcard's certificate can be obtained. */
  readonly obtainsWildcards: boolean;
  /** Throws `not_found`. */
  readonly findCertificate: (reference: NameOrUuid) => CertificateId;
}

export interface GroupRequest {
  readonly name?: string | undefined;
  readonly services?: readonly Service[] | undefined;
  readonly domains?: readonly ServiceDomain[] | undefined;
  readonly soft_limit?: number | undefined;
  readonly hard_limit?: number | undefined;
  readonly autokill?: { readonly time_ms?: number | undefined } | undefined;
}

/** Name and specification of a new group; without a name or a domain it gets generated ones. */
export function groupFromRequest(
  request: GroupRequest,
  persistent: boolean,
  surroundings: GroupSurroundings,
): { readonly name: string; readonly spec: GroupSpec } {
  const name = request.name ?? generatedName();
  const given = request.domains ?? [];
  const label = request.name === undefined ? name : labelFor(name);
  const spec: GroupSpec = {
    persistent,
    services: readServices(request.services ?? []),
    domains: given.length === 0 ? [{ name: label, certificate: null }] : readDomains(given, surroundings),
    softLimit: request.soft_limit ?? limits.groupLimit.defaultSoft,
    hardLimit: request.hard_limit ?? limits.groupLimit.defaultHard,
    autokillMs: request.autokill?.time_ms ?? 0,
  };
  checkLimits(spec);
  return { name, spec };
}

export function checkLimits({ softLimit, hardLimit }: Pick<GroupSpec, "softLimit" | "hardLimit">): void {
  if (softLimit <= hardLimit) return;
  throw new UniError(
    "invalid_value",
    `Member 'soft_limit' (${softLimit}) must not be above 'hard_limit' (${hardLimit})`,
  );
}

export function readDomains(
  given: readonly ServiceDomain[],
  surroundings: GroupSurroundings,
): readonly GroupDomain[] {
  const domains = given.map((domain) => readDomain(domain, surroundings));
  for (const [index, { name }] of domains.entries()) {
    if (domains.findIndex((other) => other.name === name) !== index) {
      throw new UniError("invalid_value", `Domain '${name}' is given twice`);
    }
  }
  return domains;
}

function readDomain(
  { name: given, certificate }: ServiceDomain,
  surroundings: GroupSurroundings,
): GroupDomain {
  const { nodeDomain, certificates, now, obtainsWildcards } = surroundings;
  const name = readDomainName(given, nodeDomain);
  const fqdn = fqdnOf({ name }, nodeDomain);
  if (certificate === undefined) {
    const fits = certificates.some(({ details }) => details?.names.includes(fqdn));
    if (fqdn.startsWith("*.") && !fits && !obtainsWildcards) {
      throw new UniError("invalid_value", `Domain '${given}' needs an uploaded certificate for ${fqdn}`, {
        hint: "Add one first (uni certs add), or let unid obtain one: unid --acme-dns-hook.",
      });
    }
    return { name, certificate: null };
  }
  if (!isFullName(name)) {
    throw new UniError("invalid_value", `Domain '${given}' takes no certificate: the node has one for it`);
  }
  const id = surroundings.findCertificate(certificate);
  const details = certificates.find((record) => record.id === id)?.details;
  if (details === undefined || details.notAfter <= now) {
    throw new UniError("invalid_value", `The certificate of domain '${given}' is not valid`);
  }
  if (!details.names.some((each) => covers(each, fqdn))) {
    throw new UniError("certificate_mismatch", `The certificate of domain '${given}' is not for it`);
  }
  return { name, certificate: id };
}
