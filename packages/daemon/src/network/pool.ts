/** Chooses this daemon's pool: a private /16 that nothing on the host uses. The caller keeps it for good. */
import { createHash } from "node:crypto";
import { UniError } from "@uni/contract/errors";
import { ipJson } from "../host/network-commands.ts";
import { formatPrefix, overlaps, type Prefix, parsePrefix } from "./addresses.ts";
import { readNameservers } from "./nameservers.ts";

/** The caller stores the answer and passes it to `createNetwork` from then on. */
export async function choosePool(daemonId: string, reservedRanges: readonly string[] = []): Promise<string> {
  const resolvers = await readNameservers();
  const taken = [...(await hostPrefixes()), ...[...reservedRanges, ...resolvers].flatMap(toPrefix)];
  const pool = pickPool(daemonId, taken);
  if (pool !== undefined) return formatPrefix(pool);
  throw new UniError(
    "none_free",
    "choose a private address range for instances: all are in use on this host",
    {
      hint: "Remove a route to 10.0.0.0/8, or give a range of your own.",
    },
  );
}

/** Destinations of all routes, default routes aside, and all addresses: other daemons' pools are among the routes. */
export async function hostPrefixes(): Promise<readonly Prefix[]> {
  const [routes, links] = await Promise.all([
    ipJson(["-4", "route", "show", "table", "all"]) as Promise<readonly { dst: string }[]>,
    ipJson(["-4", "address", "show"]) as Promise<
      readonly { addr_info?: readonly { local?: string; prefixlen?: number }[] }[]
    >,
  ]);
  const addresses = links.flatMap((link) => link.addr_info ?? []);
  return [
    ...routes.flatMap(({ dst }) => toPrefix(dst)),
    ...addresses.flatMap(({ local, prefixlen }) => toPrefix(`${local}/${prefixlen}`)),
  ].filter(({ length }) => length > 0);
}

/**
 * 10.128 to 10.239, above what container and cluster software takes by habit (10.0, 10.42 to 10.43, 10.88, 10.96). Where
 * to begin comes from the id, so that daemons that start at the same time choose differently.
 */
export function pickPool(daemonId: string, taken: readonly Prefix[]): Prefix | undefined {
  const count = 112;
  const start = createHash("sha256").update(daemonId).digest().readUInt16BE(0) % count;
  for (let step = 0; step < count; step++) {
    const base = 10 * 2 ** 24 + (128 + ((start + step) % count)) * 2 ** 16;
    const pool = { base, length: 16 };
    if (!taken.some((prefix) => overlaps(pool, prefix))) return pool;
  }
  return undefined;
}

function toPrefix(text: string): readonly Prefix[] {
  const prefix = parsePrefix(text);
  return prefix === undefined ? [] : [prefix];
}
