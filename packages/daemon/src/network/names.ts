/** Everything on the host that belongs to one daemon is found again by its name; the names are made here only. */
import { UniError } from "@uni/contract/errors";
import { formatPrefix, type Prefix, parseAddress, prefixSize } from "./addresses.ts";

/** One gateway for all guests of all daemons: it is link-local, and every TAP is a link of its own. */
export const gatewayAddress = "169.254.1.1";
/** The same on every TAP, so that a guest's ARP cache stays true across restores. */
export const gatewayMac = "06:75:6e:69:00:01";
/** Device group of every Uni TAP on the host, whichever daemon's: "uni" in ASCII. */
export const deviceGroup = 0x756e69;
/** Marks our routes in `ip route`; "u" in ASCII, free in iproute2's rt_protos. */
export const routeProtocol = "117";
/** Large, so that the waker's route to the pool is preferred while its device is there. */
export const poolRouteMetric = 4_000_000_000;
export const wakerRouteMetric = 3_000_000_000;

export interface Names {
  readonly daemonId: string;
  readonly pool: Prefix;
  readonly table: string;
  /** Matches this daemon's TAPs in nft; the dash keeps ids that begin alike apart. */
  readonly tapPattern: string;
  /** The TUN that sleepers' packets are routed to. `tapPattern` matches it too: what may go to a guest may go there. */
  readonly waker: string;
}

export function namesOf(daemonId: string, pool: Prefix): Names {
  if (!/^[a-z0-9]{4,6}$/.test(daemonId)) {
    throw new UniError("invalid_value", `daemon id "${daemonId}": want 4 to 6 of a-z and 0-9`);
  }
  if (pool.length < 16 || pool.length > 22) {
    throw new UniError("invalid_value", `pool ${formatPrefix(pool)}: want a prefix length from 16 to 22`);
  }
  return {
    daemonId,
    pool,
    table: `uni_${daemonId}`,
    tapPattern: `u${daemonId}-*`,
    waker: `u${daemonId}-waker`,
  };
}

export const isOwnTap = (names: Names, device: string): boolean =>
  device.startsWith(`u${names.daemonId}-`) && /^[a-z0-9]{4}$/.test(device.slice(names.daemonId.length + 2));

export function tapFor(names: Names, address: string): string {
  const index = indexInPool(names, address);
  return `u${names.daemonId}-${index.toString(36).padStart(4, "0")}`;
}

/** Locally administered; the address is inside, so it is unique wherever the address is. */
export function macFor(names: Names, address: string): string {
  const value = names.pool.base + indexInPool(names, address);
  const bytes = [24, 16, 8, 0].map((shift) => ((value >>> shift) & 255).toString(16).padStart(2, "0"));
  return ["02", "75", ...bytes].join(":");
}

function indexInPool(names: Names, address: string): number {
  const value = parseAddress(address);
  const index = value === undefined ? -1 : value - names.pool.base;
  if (index < 0 || index >= prefixSize(names.pool)) {
    throw new UniError("invalid_value", `address ${address}: not in the pool ${formatPrefix(names.pool)}`);
  }
  return index;
}
