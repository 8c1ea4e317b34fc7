/** Opens the services room and ties it to the instances. */
import { hostname } from "node:os";
import { join } from "node:path";
import type { InstanceId } from "@uni/contract/ids";
import type { ApiDependencies } from "../api/port.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Registry } from "../instances/registry.ts";
import { watchEmptyGroups } from "../services/autokill.ts";
import { CertificateFiles } from "../services/certificate-files.ts";
import { Certificates } from "../services/certificates.ts";
import { LocalCa } from "../services/local-ca.ts";
import { followInstances } from "../services/membership.ts";
import { ServiceGroups } from "../services/service-groups.ts";
import type { Database } from "../store/open.ts";
import { createCertificatesPort, createLocalCaPort, createServicesPort } from "./services-port.ts";

export interface ServicesSurroundings {
  readonly db: Database;
  readonly dataDirectory: string;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  readonly domain: string;
}

export interface OpenServices {
  readonly ports: Pick<ApiDependencies, "services" | "certificates" | "localCa">;
  readonly release: () => Promise<void>;
}

export async function openServices(surroundings: ServicesSurroundings): Promise<OpenServices> {
  const { db, dataDirectory, registry, clock, domain: nodeDomain } = surroundings;
  const log = surroundings.log.child({ room: "services" });
  const edge = join(dataDirectory, "edge");
  const groups = await ServiceGroups.open(db, nodeDomain);
  const certificates = await Certificates.open(db, new CertificateFiles(join(edge, "certificates")));
  const localCa = new LocalCa(join(edge, "local-ca"), hostname(), clock);
  const watch = {
    exists: (id: InstanceId) => registry.find(id) !== undefined,
    onGone: (listener: (id: InstanceId) => void) =>
      registry.onChange((after, before) => {
        if (after === undefined && before !== undefined) listener(before.id);
      }),
  };
  const unfollow = await followInstances(groups, watch, clock, log);
  const unwatch = watchEmptyGroups(groups, clock, log);
  const shared = { groups, certificates, nodeDomain, clock };
  return {
    ports: {
      services: createServicesPort({
        ...shared,
        nameOf: (id) => registry.find(id)?.name,
        hasEdge: false,
      }),
      certificates: createCertificatesPort(shared),
      localCa: createLocalCaPort(localCa, nodeDomain),
    },
    async release() {
      unfollow();
      unwatch();
    },
  };
}
