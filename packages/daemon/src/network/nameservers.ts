/** Which resolvers a guest is told: the host's, as far as a guest can reach them. */
import { networkInterfaces } from "node:os";
import { readTextIfExists } from "../host/files.ts";
import { parseAddress } from "./addresses.ts";

/** As many as resolv.conf(5) allows. */
const limit = 3;

/**
 * /etc/resolv.conf; where that names only a resolver on the host itself, systemd-resolved's list of the real ones. Empty
 * if there is none: guests then have no name resolution, rather than somebody's public resolver without being asked.
 */
export async function readNameservers(): Promise<readonly string[]> {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []),
  );
  for (const path of ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"]) {
    const found = parseNameservers((await readTextIfExists(path)) ?? "").filter(
      (address) => !own.has(address),
    );
    if (found.length > 0) return found;
  }
  return [];
}

/** IPv4 only, as guests have no IPv6; a loopback address would be the guest's own. */
export function parseNameservers(text: string): readonly string[] {
  const addresses = text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([keyword]) => keyword === "nameserver")
    .map(([, address]) => address ?? "")
    .filter((address) => parseAddress(address) !== undefined)
    .filter((address) => !address.startsWith("127.") && address !== "0.0.0.0");
  return [...new Set(addresses)].slice(0, limit);
}
