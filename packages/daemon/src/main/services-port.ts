/** Service groups, certificates and the local authority of the API, on top of the services room. */
import { UniError } from "@uni/contract/errors";
import type { AccountId, CertificateId, InstanceId, ServiceGroupId } from "@uni/contract/ids";
import type { CertificatesPort, LocalCaPort, Reference, ServicesPort } from "../api/port.ts";
import type { Clock } from "../base/clock.ts";
import type { Edge } from "../edge/port.ts";
import { usersOf } from "../services/certificate-choice.ts";
import type { Certificates } from "../services/certificates.ts";
import { type GroupSurroundings, groupFromRequest } from "../services/group-spec.ts";
import { updateGroup } from "../services/group-update.ts";
import type { LocalCa } from "../services/local-ca.ts";
import type { CertificateRecord, GroupRecord, GroupSpec } from "../services/record.ts";
import type { ServiceGroups } from "../services/service-groups.ts";
import { trustRoot } from "../services/system-trust.ts";
import { viewCertificate, viewGroup } from "../services/view.ts";

export interface ServicesDependencies {
  readonly obtainsWildcards: boolean;
  readonly groups: ServiceGroups;
  readonly certificates: Certificates;
  readonly nodeDomain: string;
  readonly clock: Clock;
  readonly nameOf: (instance: InstanceId) => string | undefined;
  readonly edge: Pick<Edge, "checkPorts">;
  readonly scales: (group: ServiceGroupId) => boolean;
}

/** What the rules of groups need to know of an account. */
export const surroundingsOf =
  ({
    certificates,
    nodeDomain,
    clock,
    obtainsWildcards,
  }: Pick<ServicesDependencies, "certificates" | "nodeDomain" | "clock" | "obtainsWildcards">) =>
  (account: AccountId): GroupSurroundings => ({
    nodeDomain,
    now: clock.now(),
    certificates: certificates.catalogue.ofAccount(account),
    obtainsWildcards,
    findCertificate: (reference) => certificates.catalogue.resolve(account, reference).id,
  });

export function createServicesPort(deps: ServicesDependencies): ServicesPort {
  const { groups, certificates, nodeDomain, clock } = deps;
  const surroundings = surroundingsOf(deps);
  const view = (group: GroupRecord) =>
    viewGroup(group, {
      nodeDomain,
      now: clock.now(),
      certificates: certificates.catalogue.ofAccount(group.account),
      scales: deps.scales(group.id),
      members: groups.membersOf(group.id).flatMap((uuid) => {
        const name = deps.nameOf(uuid);
        return name === undefined ? [] : [{ uuid, name }];
      }),
    });
  const find = (account: AccountId, reference: Reference) => groups.catalogue.resolve(account, reference);

  return {
    async create(account, request) {
      const made = groupFromRequest(request, true, surroundings(account));
      await deps.edge.checkPorts(made.spec.services.map(({ port }) => port));
      return view(await groups.create({ account, ...made, members: [] }, clock.now()));
    },
    list: (account, page) => groups.catalogue.page(account, page).map(view),
    get: (account, reference) => view(find(account, reference)),
    async update(account, reference, updates) {
      const { id, spec: before } = find(account, reference);
      const change = (spec: GroupSpec) => updateGroup(spec, updates, surroundings(account));
      await deps.edge.checkPorts(addedPorts(before, change(before)));
      return view(await groups.update(id, change));
    },
    async delete(account, reference) {
      const group = find(account, reference);
      const shown = view(group);
      await groups.remove(group.id, clock.now());
      return shown;
    },
  };
}

const addedPorts = (before: GroupSpec, after: GroupSpec): number[] =>
  after.services
    .map(({ port }) => port)
    .filter((port) => before.services.every((each) => each.port !== port));

export function createCertificatesPort(
  deps: Pick<ServicesDependencies, "groups" | "certificates" | "nodeDomain" | "clock"> & {
    readonly renew: (id: CertificateId) => Promise<void>;
  },
): CertificatesPort {
  const { groups, certificates, nodeDomain, clock } = deps;
  const users = ({ id }: CertificateRecord) =>
    usersOf(id, groups.catalogue.all(), nodeDomain, certificates.catalogue.all());
  const view = (record: CertificateRecord) => {
    const shown = users(record).map(({ id, name }) => ({ uuid: id, name }));
    return viewCertificate(record, shown, clock.now());
  };
  const find = (account: AccountId, reference: Reference) =>
    certificates.catalogue.resolve(account, reference);

  return {
    create: async (account, { name, common_name: commonName, chain, pkey }) =>
      view(await certificates.create({ account, name, commonName, material: { chain, pkey } }, clock.now())),
    list: (account, page) => certificates.catalogue.page(account, page).map(view),
    get: (account, reference) => view(find(account, reference)),
    update: async (account, reference, material) =>
      view(await certificates.replace(find(account, reference).id, material, clock.now())),
    async renew(account, reference) {
      const { id } = find(account, reference);
      await deps.renew(id);
      return view(certificates.catalogue.get(id));
    },
    async delete(account, reference) {
      const record = find(account, reference);
      const names = users(record).map(({ name }) => name);
      if (names.length > 0) {
        throw new UniError("in_use", `Certificate '${record.name}' is used by ${names.join(", ")}`, {
          hint: "Remove these service groups, or their domains, first.",
        });
      }
      const shown = view(record);
      await certificates.remove(record.id, clock.now());
      return shown;
    },
  };
}

export function createLocalCaPort(localCa: LocalCa, nodeDomain: string): LocalCaPort {
  return {
    async info() {
      const { pem, subject, fingerprint, notAfter } = await localCa.root();
      const not_after = new Date(notAfter).toISOString();
      return { domain: nodeDomain, subject, fingerprint, not_after, certificate: pem };
    },
    trust: async () => ({ path: await trustRoot(await localCa.root()) }),
  };
}
