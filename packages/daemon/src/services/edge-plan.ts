/** What the edge must be told, as data: which name and port lead to which members, and with which certificate. Pure. */
import type { InstanceState } from "@uni/contract/enums";
import type { CertificateId, InstanceId, ServiceGroupId } from "@uni/contract/ids";
import type { Configuration } from "../autoscale/record.ts";
import type { EdgeDomain, EdgeGroup, EdgeMember, EdgePortRule } from "../edge/port.ts";
import { certificateFor } from "./certificate-choice.ts";
import { fqdnOf, isFullName } from "./domains.ts";
import type { CertificateRecord, GroupRecord, GroupService } from "./record.ts";

/** As the edge takes it, but for the certificates of the local authority, which are still to be had. */
export interface EdgePlan {
  readonly groups: readonly PlannedGroup[];
}

interface PlannedGroup extends Omit<EdgeGroup, "domains" | "members"> {
  readonly id: ServiceGroupId;
  readonly name: string;
  readonly domains: readonly PlannedDomain[];
  /** In the order in which they are to be filled. */
  readonly members: readonly PlannedMember[];
}

interface PlannedDomain extends Omit<EdgeDomain, "certificate"> {
  readonly certificate: EdgeCertificate;
}

export type EdgeCertificate =
  | { readonly kind: "stored"; readonly id: CertificateId; readonly path: string }
  /** To be had from the local authority under this name. */
  | { readonly kind: "local"; readonly name: string };

interface PlannedMember extends EdgeMember {
  readonly id: InstanceId;
  readonly name: string;
}

export interface EdgeInstance {
  readonly id: InstanceId;
  readonly name: string;
  readonly address: string;
  readonly state: InstanceState;
  /** Its program has listened somewhere, or has had its time for it. */
  readonly settled: boolean;
  readonly group: ServiceGroupId;
}

export interface EdgeCertificates {
  readonly nodeDomain: string;
  readonly stored: readonly CertificateRecord[];
  readonly path: (id: CertificateId) => string;
}

export function edgePlan(
  groups: readonly GroupRecord[],
  instances: readonly EdgeInstance[],
  certificates: EdgeCertificates,
  scalingOf: (group: ServiceGroupId) => Configuration | undefined,
): EdgePlan {
  return {
    groups: groups.map((group) => ({
      id: group.id,
      name: group.name,
      domains: group.spec.domains.map((domain) => ({
        fqdn: fqdnOf(domain, certificates.nodeDomain),
        certificate: edgeCertificate(group, domain, certificates),
      })),
      ports: group.spec.services.map(portRule),
      softLimit: group.spec.softLimit,
      hardLimit: group.spec.hardLimit,
      members: instances.filter((instance) => instance.group === group.id).flatMap(edgeMember),
      ...scalingRules(scalingOf(group.id)),
    })),
  };
}

function scalingRules(scaling: Configuration | undefined) {
  const policies = scaling?.policies ?? [];
  return {
    awaitsMembers: scaling?.minSize === 0,
    tellsGrowth: policies.some(({ enabled, highWatermark }) => enabled && highWatermark > 0),
  };
}

function edgeCertificate(
  { account }: GroupRecord,
  domain: GroupRecord["spec"]["domains"][number],
  { nodeDomain, stored, path }: EdgeCertificates,
): EdgeCertificate {
  const own = stored.filter((record) => record.account === account);
  const record = certificateFor(domain, nodeDomain, own);
  // One that expired is still served: a client can be told to accept it, and its owner sees which one it is.
  if (record?.details !== undefined) return { kind: "stored", id: record.id, path: path(record.id) };
  return { kind: "local", name: isFullName(domain.name) ? fqdnOf(domain, nodeDomain) : `*.${nodeDomain}` };
}

function portRule({ port, destinationPort, handlers }: GroupService): EdgePortRule {
  if (handlers.includes("redirect")) return { kind: "redirect", port, toPort: destinationPort };
  const kind = handlers.includes("http") ? "http" : "tcp";
  return { kind, port, destinationPort, tls: handlers.includes("tls"), proxy: handlers.includes("proxy") };
}

/** What neither runs nor can be woken is no member; one that starts answers once it listens. */
function edgeMember({ id, name, address, state, settled }: EdgeInstance): PlannedMember[] {
  switch (state) {
    case "running":
      return [{ id, name, address, state: settled ? "awake" : "starting" }];
    case "starting":
      return [{ id, name, address, state: "starting" }];
    case "standby":
      return [{ id, name, address, state: "asleep" }];
    case "draining":
    case "stopping":
      return [{ id, name, address, state: "draining" }];
    case "stopped":
    case "deleted":
    case "template":
    case "checkpoint":
      return [];
    default:
      return state satisfies never;
  }
}
