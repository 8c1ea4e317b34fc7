import type { CertificateId } from "@uni/contract/ids";
import { covers, fqdnOf, isFullName } from "./domains.ts";
import type { CertificateRecord, GroupDomain, GroupRecord } from "./record.ts";

/** The uploaded certificate that a domain is served with; undefined: one of the local authority. */
export function certificateFor(
  domain: GroupDomain,
  nodeDomain: string,
  uploaded: readonly CertificateRecord[],
): CertificateRecord | undefined {
  if (domain.certificate !== null) return uploaded.find(({ id }) => id === domain.certificate);
  if (!isFullName(domain.name)) return undefined;
  const fqdn = fqdnOf(domain, nodeDomain);
  const fitting = uploaded.filter(({ details }) => details?.names.some((name) => covers(name, fqdn)));
  const isExact = (record: CertificateRecord) => Number(record.details?.names.includes(fqdn) ?? false);
  const [best] = fitting.toSorted(
    (a, b) => isExact(b) - isExact(a) || (b.details?.notAfter ?? 0) - (a.details?.notAfter ?? 0),
  );
  return best;
}

/** The groups that are served with a certificate, or name it. */
export function usersOf(
  id: CertificateId,
  groups: readonly GroupRecord[],
  nodeDomain: string,
  uploaded: readonly CertificateRecord[],
): GroupRecord[] {
  return groups.filter(({ account, spec }) => {
    const own = uploaded.filter((record) => record.account === account);
    return spec.domains.some((domain) => certificateFor(domain, nodeDomain, own)?.id === id);
  });
}
