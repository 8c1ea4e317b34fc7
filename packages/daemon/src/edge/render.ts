/** From the plan to HAProxy's files. Pure; what the plan holds was checked by `checkPlan`. */
import {
  behindTlsChallenges,
  challengeCertificates,
  challengeCertificatesFile,
  challengePorts,
  challengesFile,
  challengesMap,
  hasHttpChallenges,
  hasTlsChallenges,
  httpChallengePort,
  tlsChallengePort,
  tlsChallengeSections,
} from "./challenges.ts";
import { crossingsFile, crossingsMap } from "./crossings.ts";
import { countMaps, groupsTable } from "./member-counts.ts";
import { backendsOf } from "./names.ts";
import { pagesFile, pagesMap } from "./pages.ts";
import type { EdgePlan } from "./port.ts";
import { refusals, renderBackend } from "./render-backend.ts";
import { certificatesFile, hostsFile, hostsMap, type Route, renderFrontend } from "./render-frontend.ts";
import { sleepersSections } from "./sleepers.ts";
import type { SlotTable } from "./slots.ts";
import { sourcesTable } from "./sources.ts";
import { wakesFile, wakesMap } from "./wakes.ts";

export interface RenderOptions {
  readonly bind: string;
  /** Absolute paths; neither blank nor quote. */
  readonly statsSocket: string;
  readonly emptyDirectory: string;
  readonly uid: number;
  /** Networks whose connections begin with the PROXY protocol. */
  readonly proxies: readonly string[];
  /** The file, below the configuration's directory, in which a certificate of the plan was put. */
  readonly certificateFile: (path: string) => string;
}

export const configurationFile = "haproxy.cfg";

/** File names to texts. */
export function render(plan: EdgePlan, slots: SlotTable, options: RenderOptions): Map<string, string> {
  const files = new Map([
    [pagesFile, pagesMap()],
    ...countMaps(plan.groups),
    [wakesFile, wakesMap(plan, slots)],
    [crossingsFile, crossingsMap(plan)],
    [challengesFile, challengesMap(plan)],
    [challengeCertificatesFile, challengeCertificates(plan, options)],
  ]);
  const sections = [globalSection(options), defaultsSection, groupsTable, sourcesTable, refusals];
  sections.push(...sleepersSections(options));
  for (const [port, routes] of routesByPort(plan)) {
    const isParted = port === tlsChallengePort && hasTlsChallenges(plan);
    if (isParted) sections.push(...tlsChallengeSections(routes.length > 0, options));
    if (isParted && routes.length === 0) continue;
    const listen = isParted ? behindTlsChallenges(options) : `${options.bind}:${port}`;
    // Behind those it is the parting frontend that hears them.
    const proxies = isParted ? [] : options.proxies;
    const challenged = port === httpChallengePort && hasHttpChallenges(plan);
    sections.push(renderFrontend(port, routes, { listen, proxies, challenged }));
    files.set(hostsFile(port), hostsMap(routes));
    files.set(certificatesFile(port), certificateList(plan, routes, options));
  }
  for (const group of plan.groups) {
    for (const backend of backendsOf(group)) sections.push(renderBackend(backend, slots[group.id] ?? []));
  }
  files.set(configurationFile, sections.map((lines) => `${lines.join("\n")}\n`).join("\n"));
  return files;
}

export const portsOf = (plan: EdgePlan): number[] => [...routesByPort(plan).keys()];

function routesByPort(plan: EdgePlan): Map<number, Route[]> {
  const ports = new Map<number, Route[]>(challengePorts(plan).map((port) => [port, []]));
  for (const group of plan.groups) {
    for (const rule of group.ports) {
      ports.set(rule.port, [...(ports.get(rule.port) ?? []), { group, rule }]);
    }
  }
  return ports;
}

/** The first is what a client gets that asks for no known name. */
function certificateList(plan: EdgePlan, routes: readonly Route[], options: RenderOptions): string {
  const named = routes.flatMap(({ group }) =>
    group.domains.map(({ fqdn, certificate }) => `${options.certificateFile(certificate)} ${fqdn}\n`),
  );
  return [`${options.certificateFile(plan.defaultCertificate)}\n`, ...named].join("");
}

const globalSection = ({ statsSocket, emptyDirectory, uid }: RenderOptions): string[] => [
  "global",
  `  stats socket "${statsSocket}" mode 600 level admin expose-fd listeners`,
  "  stats timeout 1m",
  `  chroot "${emptyDirectory}"`,
  `  uid ${uid}`,
  `  gid ${uid}`,
  // Without a limit of connections HAProxy makes one of the descriptors it may have: not a million of them.
  "  fd-hard-limit 40000",
  // Connections that a reload left to the old process end with it at last.
  "  hard-stop-after 1h",
  "  ssl-default-bind-options ssl-min-ver TLSv1.2",
  "  tune.bufsize 16384",
];

/** A client has 10 s for its headers, which fit into one buffer; whoever sends nothing for long is let go. */
const defaultsSection: readonly string[] = [
  "defaults",
  "  timeout http-request 10s",
  "  timeout http-keep-alive 60s",
  "  timeout connect 10s",
  "  timeout client 10m",
  "  timeout server 10m",
  "  timeout tunnel 1h",
  "  timeout queue 100ms",
  "  option dontlognull",
  // A request whose client has gone would count until its server says something, which it may never do. For frontends too,
  // which HAProxy does not say: by theirs it decides whether it goes on listening to the client.
  "  option abortonclose",
  // A reload takes no connection away from a client that is about to use it again.
  "  option idle-close-on-response",
];
