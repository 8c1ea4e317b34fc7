/** Opens the services room and ties it to the instances. */
import { hostname } from "node:os";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import type { AccountId, InstanceId } from "@uni/contract/ids";
import type { Instance } from "@uni/contract/resources/instance";
import type { ServiceGroupPart } from "@uni/contract/resources/service-parts";
import type { ApiDependencies } from "../api/port.ts";
import type { Configurations } from "../autoscale/configurations.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Edge } from "../edge/port.ts";
import type { Drains } from "../instances/drains.ts";
import type { Registry } from "../instances/registry.ts";
import { type Join, prepareJoin } from "../operations/join-service.ts";
import { ChallengeBoard } from "../services/acme/challenge-board.ts";
import type { AcmeOptions } from "../services/acme/options.ts";
import { watchEmptyGroups } from "../services/autokill.ts";
import { CertificateFiles } from "../services/certificate-files.ts";
import { Certificates } from "../services/certificates.ts";
import { fqdnOf } from "../services/domains.ts";
import { LocalCa } from "../services/local-ca.ts";
import { followInstances } from "../services/membership.ts";
import { ServiceGroups } from "../services/service-groups.ts";
import type { Database } from "../store/open.ts";
import { openAcme } from "./acme.ts";
import { followChanges } from "./edge-applier.ts";
import {
  createCertificatesPort,
  createLocalCaPort,
  createServicesPort,
  surroundingsOf,
} from "./services-port.ts";

export interface ServicesSurroundings {
  readonly db: Database;
  readonly dataDirectory: string;
  readonly registry: Registry;
  readonly drains: Drains;
  readonly clock: Clock;
  readonly log: Log;
  readonly domain: string;
  readonly edge: Edge;
  readonly acme: AcmeOptions | undefined;
  readonly configurations: Configurations;
}

export interface OpenServices {
  readonly groups: ServiceGroups;
  readonly ports: Pick<ApiDependencies, "services" | "certificates" | "localCa">;
  /** See `prepareJoin`. */
  readonly prepareJoin: (account: AccountId, part: ServiceGroupPart) => Promise<Join>;
  /** Groups of an account, and the ports that they publish. */
  readonly countOf: (account: AccountId) => { readonly groups: number; readonly ports: number };
  readonly groupOf: (id: InstanceId) => Instance["service_group"];
  /** Resolves when the edge is as things are now. */
  readonly apply: () => Promise<void>;
  readonly release: () => Promise<void>;
}

export async function openServices(surroundings: ServicesSurroundings): Promise<OpenServices> {
  const { db, dataDirectory, registry, clock, domain: nodeDomain } = surroundings;
  const log = surroundings.log.child({ room: "services" });
  const directory = join(dataDirectory, "edge");
  const groups = await ServiceGroups.open(db, nodeDomain);
  const certificates = await Certificates.open(db, new CertificateFiles(join(directory, "certificates")));
  const localCa = new LocalCa(join(directory, "local-ca"), hostname(), clock);
  const watch = {
    exists: (id: InstanceId) => registry.find(id) !== undefined,
    onGone: (listener: (id: InstanceId) => void) =>
      registry.onChange((after, before) => {
        if (after === undefined && before !== undefined) listener(before.id);
      }),
  };
  const unfollow = await followInstances(groups, watch, clock, log);
  const unwatch = watchEmptyGroups(groups, clock, log);
  const { edge, configurations } = surroundings;
  const shared = {
    groups,
    certificates,
    nodeDomain,
    clock,
    obtainsWildcards: surroundings.acme?.dnsHook !== undefined,
    edge: {
      ...edge,
      async checkPorts(ports: readonly number[]) {
        refusePublished(ports, registry);
        await edge.checkPorts(ports);
      },
    },
  };
  const board = new ChallengeBoard();
  const applier = followChanges({
    ...shared,
    localCa,
    registry,
    configurations,
    drains: surroundings.drains,
    log,
    challenges: () => board.all(),
  });
  const acme = await openAcme(surroundings.acme, {
    ...shared,
    directory,
    log,
    board,
    applyEdge: applier.apply,
    checkPort: (port) => shared.edge.checkPorts([port]),
  });
  const followCertificates = (): Promise<void> => {
    acme.follow();
    return applier.apply();
  };
  const services = createServicesPort({
    ...shared,
    scales: (group) => configurations.find(group) !== undefined,
    nameOf: (id) => registry.find(id)?.name,
  });
  const certificatesPort = createCertificatesPort({ ...shared, renew: acme.renew });
  return {
    groups,
    ports: {
      services: {
        ...services,
        create: (...args) => services.create(...args).finally(applier.apply),
        update: (...args) => services.update(...args).finally(applier.apply),
        delete: (...args) => services.delete(...args).finally(applier.apply),
      },
      certificates: {
        ...certificatesPort,
        create: (...args) => certificatesPort.create(...args).finally(followCertificates),
        update: (...args) => certificatesPort.update(...args).finally(applier.apply),
        delete: (...args) => certificatesPort.delete(...args).finally(acme.follow),
      },
      localCa: createLocalCaPort(localCa, nodeDomain),
    },
    prepareJoin: (account, part) =>
      prepareJoin({ ...shared, surroundings: surroundingsOf(shared) }, account, part),
    countOf(account) {
      const own = groups.catalogue.ofAccount(account);
      return { groups: own.length, ports: own.reduce((sum, group) => sum + group.spec.services.length, 0) };
    },
    groupOf(id) {
      const group = groups.groupOf(id);
      if (group === undefined) return undefined;
      const domains = group.spec.domains.map((domain) => ({ fqdn: fqdnOf(domain, nodeDomain) }));
      return { uuid: group.id, name: group.name, domains };
    },
    apply: applier.apply,
    async release() {
      await acme.close();
      await applier.close();
      unfollow();
      unwatch();
    },
  };
}

/** What instances publish on the host is led past everything that listens there. */
function refusePublished(ports: readonly number[], registry: Registry): void {
  for (const { name, spec, status } of registry.all()) {
    if (status.state === "stopped") continue;
    const taken = spec.ports.find(({ hostPort, protocol }) => protocol === "tcp" && ports.includes(hostPort));
    if (taken === undefined) continue;
    throw new UniError(
      "port_in_use",
      `publish port ${taken.hostPort} at the edge: instance '${name}' has it on this host`,
      { hint: `Stop it, or let it publish another port: uni stop ${name}` },
    );
  }
}
