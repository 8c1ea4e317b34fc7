/** Names of the parts of the configuration, and the only gate by which foreign words enter it. */
import { UniError } from "@uni/contract/errors";
import type { EdgeGroup, EdgePlan, EdgePortRule } from "./port.ts";

export type Target = Exclude<EdgePortRule, { kind: "redirect" }>;

export interface Backend {
  readonly group: EdgeGroup;
  readonly rule: Target;
  /** The same members, spoken to in HTTP/2 without TLS. */
  readonly grpc: boolean;
}

/** What is behind the first dot is the group, by which requests are counted. */
export const targetName = (group: string, { kind, destinationPort, proxy }: Target): string =>
  `${kind}.${group}.${destinationPort}${proxy ? ".proxy" : ""}`;

export const targetsOf = (group: EdgeGroup): string[] => [
  ...new Set(group.ports.flatMap((rule) => (rule.kind === "redirect" ? [] : [targetName(group.id, rule)]))),
];

export const grpcSuffix = ".grpc";
export const asleepSuffix = ".asleep";

export const awakeName = ({ group, rule, grpc }: Backend): string =>
  `${targetName(group.id, rule)}${grpc ? grpcSuffix : ""}`;
export const asleepName = (backend: Backend): string => `${awakeName(backend)}${asleepSuffix}`;

export const serverName = (group: string, slot: number): string => `${group}.s${slot + 1}`;
export const twinName = (group: string): string => `${group}.twin`;

/** One per group, port of the members and way to speak to it. */
export function backendsOf(group: EdgeGroup): Backend[] {
  const found = new Map<string, Backend>();
  for (const rule of group.ports) {
    if (rule.kind === "redirect") continue;
    for (const grpc of rule.kind === "http" ? [false, true] : [false]) {
      const backend = { group, rule, grpc };
      found.set(awakeName(backend), backend);
    }
  }
  return [...found.values()];
}
const idPattern = /^[0-9a-zA-Z-]{1,64}$/;
const namePattern = /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const tokenPattern = /^[0-9a-zA-Z_.-]{1,256}$/;
const addressPattern = /^\d{1,3}(\.\d{1,3}){3}$/;

/** Throws at the first word that the configuration would not take as the one word it should be. */
export function checkPlan({ groups, challenges = [] }: EdgePlan): void {
  for (const challenge of challenges) {
    require(namePattern, challenge.fqdn, "domain");
    if (challenge.kind === "tls") continue;
    require(tokenPattern, challenge.token, "token");
    require(tokenPattern, challenge.answer, "answer");
  }
  for (const { id, domains, ports, softLimit, hardLimit, members } of groups) {
    require(idPattern, id, "group");
    for (const { fqdn } of domains) require(namePattern, fqdn, "domain");
    for (const rule of ports) {
      requireNumber(rule.port, "port");
      requireNumber(rule.kind === "redirect" ? rule.toPort : rule.destinationPort, "port");
    }
    requireNumber(softLimit, "soft limit");
    requireNumber(hardLimit, "hard limit");
    for (const member of members) {
      require(idPattern, member.id, "member");
      require(addressPattern, member.address, "address");
    }
  }
}

function require(pattern: RegExp, word: string, what: string): void {
  if (pattern.test(word)) return;
  throw new UniError("invalid_value", `configure the edge: ${JSON.stringify(word)} is no ${what}`);
}

function requireNumber(value: number, what: string): void {
  if (Number.isInteger(value) && value >= 1 && value <= 65_535) return;
  throw new UniError("invalid_value", `configure the edge: ${value} is no ${what}`);
}
