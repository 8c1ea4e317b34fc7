/** What `-p` of run and create gave: ports of this machine, and services at the edge. */
import type { Service } from "@uni/contract/resources/service-parts";
import { type PortMap, parsePortMap } from "./port-map.ts";
import { parseServicePort } from "./service-port.ts";

export interface Published {
  readonly ports: readonly PortMap[];
  readonly services: readonly Service[];
}

export function collectPublished(text: string, before: Published | undefined): Published {
  const { ports, services } = before ?? { ports: [], services: [] };
  const added = parseServicePort(text);
  if (added !== undefined) return { ports, services: [...services, ...added] };
  return { ports: [...ports, parsePortMap(text)], services };
}
