/** Service groups and certificates as the API shows them. */
import type { CertificateState } from "@uni/contract/enums";
import type { Certificate } from "@uni/contract/resources/certificate";
import type { ServiceGroup } from "@uni/contract/resources/service-group";
import { patientAttempts } from "./acme/schedule.ts";
import { certificateFor } from "./certificate-choice.ts";
import { fqdnOf } from "./domains.ts";
import type { AcmeProgress, CertificateRecord, GroupRecord } from "./record.ts";

export interface Identity {
  readonly uuid: string;
  readonly name: string;
}

export interface GroupView {
  readonly nodeDomain: string;
  readonly now: number;
  /** Of the account. */
  readonly certificates: readonly CertificateRecord[];
  readonly members: readonly Identity[];
  /** Its number of members follows its load. */
  readonly scales: boolean;
}

export function viewGroup(
  { id, name, createdAt, spec }: GroupRecord,
  { nodeDomain, now, certificates, members, scales }: GroupView,
): ServiceGroup {
  return {
    uuid: id,
    name,
    created_at: isoTime(createdAt),
    persistent: spec.persistent,
    autoscale: scales,
    soft_limit: spec.softLimit,
    hard_limit: spec.hardLimit,
    services: spec.services.map(({ port, destinationPort, handlers }) => ({
      port,
      destination_port: destinationPort,
      protocol: "tcp" as const,
      handlers: [...handlers],
    })),
    domains: spec.domains.map((domain) => {
      const certificate = certificateFor(domain, nodeDomain, certificates);
      return {
        fqdn: fqdnOf(domain, nodeDomain),
        ...(certificate === undefined ? {} : { certificate: viewCertificate(certificate, [], now) }),
      };
    }),
    instances: [...members],
    ...(spec.autokillMs === 0 ? {} : { autokill: { time_ms: spec.autokillMs } }),
  };
}

export function viewCertificate(
  { id, name, createdAt, commonName, details, acme }: CertificateRecord,
  users: readonly Identity[],
  now: number,
): Certificate {
  return {
    uuid: id,
    name,
    created_at: isoTime(createdAt),
    common_name: commonName,
    state: stateOf({ details, acme }, now),
    ...(acme === undefined ? {} : viewValidation(acme, details !== undefined)),
    ...(details === undefined
      ? {}
      : {
          subject: details.subject,
          issuer: details.issuer,
          serial_number: details.serialNumber,
          not_before: isoTime(details.notBefore),
          not_after: isoTime(details.notAfter),
        }),
    ...(users.length === 0 ? {} : { service_groups: [...users] }),
  };
}

function stateOf(
  { details, acme }: Pick<CertificateRecord, "details" | "acme">,
  now: number,
): CertificateState {
  if (details !== undefined) return details.notBefore <= now && now < details.notAfter ? "valid" : "error";
  return acme !== undefined && acme.failures < patientAttempts ? "pending" : "error";
}

/** Nothing while all is well: a renewal that is not due yet needs nobody's eye. */
function viewValidation(
  { failures, nextAt, reason }: AcmeProgress,
  isIssued: boolean,
): Pick<Certificate, "validation"> {
  if (isIssued && failures === 0) return {};
  const attempt = Math.min(failures + 1, 255);
  return { validation: { attempt, next: isoTime(nextAt), ...(reason === undefined ? {} : { reason }) } };
}

const isoTime = (ms: number): string => new Date(ms).toISOString();
