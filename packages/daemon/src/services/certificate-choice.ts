import type { CertificateId } from "@uni/contract/ids";
import { covers, fqdnOf, isFullName } from "./domains.ts";
import type { CertificateRecord, GroupDomain, GroupRecord } from "./record.ts";

/**
 * The certificate that a domain is served with, of those of its account. While it has no details, because it is not issued
 * yet or lost, and when it is undefined, one of the local authority is served.
 */
export function certificateFor(
  domain: GroupDomain,
  nodeDomain: string,
  own: readonly CertificateRecord[],
): CertificateRecord | undefined {
  if (domain.certificate !== null) return own.find(({ id }) => id === domain.certificate);
  if (!isFullName(domain.name)) return undefined;
  const fqdn = fqdnOf(domain, nodeDomain);
  const [best] = own
    .filter((record) => fits(record, fqdn))
    .toSorted(
      (a, b) =>
        Number(b.details !== undefined) - Number(a.details !== undefined) ||
        // What somebody uploaded is meant to be used.
        Number(a.acme !== undefined) - Number(b.acme !== undefined) ||
        Number(b.details?.names.includes(fqdn)) - Number(a.details?.names.includes(fqdn)) ||
        (b.details?.notAfter ?? 0) - (a.details?.notAfter ?? 0),
    );
  return best;
}

/** The names of an account's groups that a certificate is to be obtained for: full ones that none was uploaded for. */
export function namesToObtain(
  group: GroupRecord,
  nodeDomain: string,
  own: readonly CertificateRecord[],
): string[] {
  const uploaded = own.filter(({ acme }) => acme === undefined);
  return group.spec.domains
    .filter(({ name, certificate }) => certificate === null && isFullName(name))
    .filter((domain) => certificateFor(domain, nodeDomain, uploaded) === undefined)
    .map((domain) => fqdnOf(domain, nodeDomain));
}

const fits = ({ details, acme, commonName }: CertificateRecord, fqdn: string): boolean =>
  details === undefined
    ? acme !== undefined && commonName === fqdn
    : details.names.some((name) => covers(name, fqdn));

/** The groups that are served with a certificate, or name it. */
export function usersOf(
  id: CertificateId,
  groups: readonly GroupRecord[],
  nodeDomain: string,
  certificates: readonly CertificateRecord[],
): GroupRecord[] {
  return groups.filter(({ account, spec }) => {
    const own = certificates.filter((record) => record.account === account);
    return spec.domains.some((domain) => certificateFor(domain, nodeDomain, own)?.id === id);
  });
}
