/** Names of the parts of the configuration, and the only gate by which foreign words enter it. */
import { UniError } from "@uni/contract/errors";
import type { EdgeGroup, EdgePlan } from "./port.ts";

/** `grpc`: the same members, spoken to in HTTP/2 without TLS. */
export type Variant = "plain" | "grpc";

export interface BackendNames {
  readonly awake: string;
  readonly asleep: string;
}

export const backendNames = (group: string, destinationPort: number, variant: Variant): BackendNames => {
  const base = `g-${group}-${destinationPort}${variant === "grpc" ? "-grpc" : ""}`;
  return { awake: base, asleep: `${base}-asleep` };
};

export interface Backend {
  readonly group: EdgeGroup;
  readonly kind: "http" | "tcp";
  readonly destinationPort: number;
  readonly variant: Variant;
}

/** One per group, port of the members and way to speak to it. */
export function backendsOf(group: EdgeGroup): Backend[] {
  const found = new Map<string, Backend>();
  for (const rule of group.ports) {
    if (rule.kind === "redirect") continue;
    const { kind, destinationPort } = rule;
    const variants: readonly Variant[] = kind === "http" ? ["plain", "grpc"] : ["plain"];
    for (const variant of variants) {
      const name = backendOf(group.id, kind, destinationPort, variant).awake;
      found.set(name, { group, kind, destinationPort, variant });
    }
  }
  return [...found.values()];
}

/** A group may reach one port of its members by HTTP and by TCP: the limits of the two are counted apart. */
export const backendOf = (
  group: string,
  kind: "http" | "tcp",
  destinationPort: number,
  variant: Variant,
): BackendNames => {
  const { awake, asleep } = backendNames(group, destinationPort, variant);
  return { awake: `${kind}-${awake}`, asleep: `${kind}-${asleep}` };
};

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
