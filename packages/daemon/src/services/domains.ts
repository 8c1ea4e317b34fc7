/** Names by which a service group is reached. */
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { GroupDomain } from "./record.ts";

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A name as a request gives it, in the one form that is stored; a full name below the node's domain becomes a label. */
export function readDomainName(given: string, nodeDomain: string): string {
  const name = given.toLowerCase();
  if (!name.endsWith(".")) {
    if (label.test(name)) return name;
    throw refused(given, name.includes(".") ? "a full name ends in a dot" : "it is no DNS label");
  }
  const full = name.slice(0, -1);
  const parts = full.split(".");
  const named = parts[0] === "*" ? parts.slice(1) : parts;
  if (full.length > limits.domainLength || named.length < 2 || !named.every((part) => label.test(part))) {
    throw refused(given, "it is no full host name");
  }
  if (full === nodeDomain || full === `*.${nodeDomain}`) {
    throw refused(given, "it is the domain of this node, below which every service has a name of its own");
  }
  const below = full.endsWith(`.${nodeDomain}`) ? full.slice(0, -nodeDomain.length - 1) : undefined;
  return below !== undefined && label.test(below) ? below : name;
}

/** A host name without wildcard: of a node, or of a certificate with `allowWildcard`. Final dot optional. */
export function readHostName(given: string, allowWildcard: boolean): string {
  const name = given.toLowerCase().replace(/\.$/, "");
  const named = allowWildcard && name.startsWith("*.") ? name.slice(2) : name;
  const parts = named.split(".");
  if (name.length <= limits.domainLength && parts.length >= 2 && parts.every((part) => label.test(part))) {
    return name;
  }
  throw new UniError("invalid_value", `'${given}' is no full host name`, {
    hint: "For example www.example.com.",
  });
}

export const isFullName = (name: string): boolean => name.endsWith(".");

/** Without final dot. */
export const fqdnOf = ({ name }: Pick<GroupDomain, "name">, nodeDomain: string): string =>
  isFullName(name) ? name.slice(0, -1) : `${name}.${nodeDomain}`;

/** Does a certificate's name fit a host's: the same, or a wildcard of exactly one label (RFC 6125, 6.4.3). */
export function covers(pattern: string, fqdn: string): boolean {
  if (pattern === fqdn) return true;
  if (!pattern.startsWith("*.") || fqdn.startsWith("*.")) return false;
  const dot = fqdn.indexOf(".");
  return dot > 0 && fqdn.slice(dot + 1) === pattern.slice(2);
}

const refused = (given: string, reason: string) =>
  new UniError("invalid_value", `Invalid domain '${given}': ${reason}`, {
    hint: "Write a label (web), or a full name with its final dot (www.example.com.).",
  });
