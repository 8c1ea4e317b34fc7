/** Service groups and certificates of the memory core: kept as they are asked for, without the rules of the real ones. */
import { randomUUID } from "node:crypto";
import type { Certificate } from "@uni/contract/resources/certificate";
import type { ServiceGroup, ServiceGroupUpdate } from "@uni/contract/resources/service-group";
import type { Service, ServiceDomain } from "@uni/contract/resources/service-parts";
import { Shelf } from "./fake-shelf.ts";
import type { CertificatesPort, LocalCaPort, ServicesPort } from "./port.ts";

const domain = "uni.localhost";
const createdAt = "2026-01-01T00:00:00.000Z";

export function fakeServices(): ServicesPort {
  const groups = new Shelf<ServiceGroup>("service group");
  return {
    async create(_account, request) {
      const name = request.name ?? `quiet-river-${randomUUID().slice(0, 8)}`;
      return groups.add({
        uuid: randomUUID(),
        name,
        created_at: createdAt,
        persistent: true,
        autoscale: false,
        soft_limit: request.soft_limit ?? 1,
        hard_limit: request.hard_limit ?? 65_535,
        services: request.services,
        domains: (request.domains ?? [{ name }]).map(domainOf),
        instances: [],
        ...(request.autokill === undefined ? {} : { autokill: request.autokill }),
      });
    },
    list: (_account, page) => groups.page(page),
    get: (_account, reference) => groups.get(reference),
    update: async (_account, reference, updates) =>
      groups.put(updates.reduce(changed, groups.get(reference))),
    delete: async (_account, reference) => groups.remove(reference),
  };
}

export function fakeCertificates(): CertificatesPort {
  const certificates = new Shelf<Certificate>("certificate");
  return {
    create: async (_account, { name, common_name }) =>
      certificates.add({
        uuid: randomUUID(),
        name: name ?? `${common_name}-${randomUUID().slice(0, 8)}`,
        created_at: createdAt,
        common_name: common_name.replace(/\.$/, ""),
        state: "valid",
      }),
    list: (_account, page) => certificates.page(page),
    get: (_account, reference) => certificates.get(reference),
    update: async (_account, reference) => certificates.get(reference),
    renew: async (_account, reference) => certificates.get(reference),
    delete: async (_account, reference) => certificates.remove(reference),
  };
}

export function fakeLocalCa(): LocalCaPort {
  const info = {
    domain,
    subject: "CN=Uni",
    fingerprint: "00:11",
    not_after: createdAt,
    certificate: "-----BEGIN CERTIFICATE-----\n",
  };
  return { info: async () => info, trust: async () => ({ path: "/etc/ca/uni.crt" }) };
}

const domainOf = ({ name }: ServiceDomain) => ({
  fqdn: name.endsWith(".") ? name.slice(0, -1) : `${name}.${domain}`,
});

function changed(group: ServiceGroup, { prop, op, value }: ServiceGroupUpdate): ServiceGroup {
  if (prop === "services") {
    const given = value as Service[];
    const others = (group.services ?? []).filter(({ port }) => !given.some((each) => each.port === port));
    return { ...group, services: op === "set" ? given : op === "add" ? [...others, ...given] : others };
  }
  if (prop === "domains") {
    const given = (value as ServiceDomain[]).map(domainOf);
    const others = (group.domains ?? []).filter(({ fqdn }) => !given.some((each) => each.fqdn === fqdn));
    return { ...group, domains: op === "set" ? given : op === "add" ? [...others, ...given] : others };
  }
  return { ...group, [prop]: value };
}
