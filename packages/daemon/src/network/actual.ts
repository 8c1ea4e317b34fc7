/** What the host has at this moment of what this daemon could own. Reads only. */

import { readNetSetting } from "../host/device-settings.ts";
import { readTextIfExists } from "../host/files.ts";
import { ipJson, nftJson } from "../host/network-commands.ts";
import { formatPrefix } from "./addresses.ts";
import type { Element } from "./elements.ts";
import { deviceGroup, gatewayAddress, isOwnTap, type Names } from "./names.ts";
import { noListing, readListing } from "./nft-listing.ts";
import type { Table } from "./ruleset.ts";

export interface Device {
  readonly name: string;
  /** Right kind of TAP: persistent, one queue, with the virtio-net header. Cannot be changed on a living one. */
  readonly usable: boolean;
  readonly owner: number | undefined;
  readonly mac: string;
  readonly group: string;
  readonly up: boolean;
  readonly hasGateway: boolean;
  readonly settings: ReadonlyMap<string, string | undefined>;
}

export interface WakerDevice {
  readonly usable: boolean;
  readonly up: boolean;
  readonly hasGateway: boolean;
  readonly hasRoute: boolean;
  readonly settings: ReadonlyMap<string, string | undefined>;
}

export interface Neighbour {
  readonly device: string;
  readonly address: string;
  readonly mac: string | undefined;
  readonly permanent: boolean;
}

export interface Actual {
  /** Own TAPs, by name. */
  readonly devices: ReadonlyMap<string, Device>;
  /** Destinations of the routes through own TAPs. */
  readonly routes: readonly { readonly device: string; readonly destination: string }[];
  readonly hasPoolRoute: boolean;
  /** Undefined while there is none. */
  readonly waker: WakerDevice | undefined;
  readonly neighbours: readonly Neighbour[];
  /** By family. */
  readonly frames: ReadonlyMap<string, readonly string[]>;
  readonly elements: readonly Element[];
}

/** The per-device settings that Uni wants, under net/. */
export const wantedSettings: Readonly<Record<string, string>> = {
  // The host's loopback clients of a published port are routed to the TAP with a source of 127.0.0.1.
  "ipv4/conf/DEVICE/route_localnet": "1",
  // Loose: a guest that falls asleep or wakes speaks while its own address is routed to the waker. That it speaks with no
  // other address, in IP and ARP, the rules see to.
  "ipv4/conf/DEVICE/rp_filter": "2",
  // A guest says neither which way its packets take nor which way the host's do, whatever the host lets others say.
  "ipv4/conf/DEVICE/accept_source_route": "0",
  "ipv4/conf/DEVICE/accept_redirects": "0",
  "ipv6/conf/DEVICE/disable_ipv6": "1",
};

/** Those of the waker's TUN. What comes from it has the addresses of its senders. */
export const wantedWakerSettings: Readonly<Record<string, string>> = {
  "ipv4/conf/DEVICE/route_localnet": "1",
  // Loose, not off: where the host has strict filtering for all devices, the larger value counts (ip-sysctl).
  "ipv4/conf/DEVICE/rp_filter": "2",
  "ipv4/conf/DEVICE/accept_local": "1",
  "ipv6/conf/DEVICE/disable_ipv6": "1",
};

export const settingsWantedOf = (names: Names, device: string): Readonly<Record<string, string>> =>
  device === names.waker ? wantedWakerSettings : wantedSettings;

export const settingPath = (setting: string, device: string): string => setting.replace("DEVICE", device);

/** Settings that the kernel has not, it need not have. */
export const differ = (
  found: ReadonlyMap<string, string | undefined>,
  wanted: Readonly<Record<string, string>>,
): boolean => Object.entries(wanted).some(([setting, value]) => (found.get(setting) ?? value) !== value);

export async function readActual(names: Names, tables: readonly Table[]): Promise<Actual> {
  const [links, routes, neighbours] = await Promise.all([
    ipJson(["-details", "address", "show"]) as Promise<readonly ListedLink[]>,
    ipJson(["-4", "route", "show", "table", "main"]) as Promise<readonly ListedRoute[]>,
    ipJson(["-4", "neighbour", "show", "nud", "all"]) as Promise<readonly ListedNeighbour[]>,
  ]);
  const own = links.filter((link) => isOwnTap(names, link.ifname));
  const passwd = own.some((link) => typeof link.linkinfo?.info_data?.user === "string")
    ? ((await readTextIfExists("/etc/passwd")) ?? "")
    : "";
  const devices = await Promise.all(own.map((link) => readDevice(link, passwd)));
  const listings = await Promise.all(
    tables.map(async ({ family, name }) => {
      const items = await nftJson(["list", "table", family, name]);
      return { family, listing: items === undefined ? noListing : readListing(family, items) };
    }),
  );
  return {
    waker: await readWaker(names, links, routes),
    devices: new Map(devices.map((device) => [device.name, device])),
    routes: routes.flatMap(({ dev, dst }) =>
      dev !== undefined && isOwnTap(names, dev) ? [{ device: dev, destination: dst }] : [],
    ),
    hasPoolRoute: routes.some(
      (route) => route.type === "unreachable" && route.dst === formatPrefix(names.pool),
    ),
    neighbours: neighbours
      .filter((neighbour) => isOwnTap(names, neighbour.dev))
      .map(({ dev, dst, lladdr, state }) => ({
        device: dev,
        address: dst,
        mac: lladdr,
        permanent: state.includes("PERMANENT"),
      })),
    frames: new Map(listings.map(({ family, listing }) => [family, listing.frame])),
    elements: listings.flatMap(({ listing }) => listing.elements),
  };
}

interface ListedLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly group?: string;
  readonly address?: string;
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: {
      readonly type?: string;
      readonly vnet_hdr?: boolean;
      readonly multi_queue?: boolean;
      readonly persist?: boolean;
      /** A number, or a name where the host knows one. */
      readonly user?: number | string;
    };
  };
}

interface ListedRoute {
  readonly dst: string;
  readonly dev?: string;
  readonly type?: string;
}

interface ListedNeighbour {
  readonly dev: string;
  readonly dst: string;
  readonly lladdr?: string;
  readonly state: readonly string[];
}

async function readDevice(link: ListedLink, passwd: string): Promise<Device> {
  const tun = link.linkinfo?.info_data;
  return {
    name: link.ifname,
    usable: tun?.type === "tap" && tun.vnet_hdr === true && tun.multi_queue !== true && tun.persist === true,
    owner: typeof tun?.user === "string" ? userId(tun.user, passwd) : tun?.user,
    mac: link.address ?? "",
    group: link.group === String(deviceGroup) ? "uni" : (link.group ?? ""),
    up: link.flags.includes("UP"),
    hasGateway: hasGateway(link),
    settings: await readSettings(wantedSettings, link.ifname),
  };
}

async function readWaker(
  names: Names,
  links: readonly ListedLink[],
  routes: readonly ListedRoute[],
): Promise<WakerDevice | undefined> {
  const link = links.find(({ ifname }) => ifname === names.waker);
  if (link === undefined) return undefined;
  const tun = link.linkinfo?.info_data;
  return {
    usable: tun?.type === "tun" && tun.vnet_hdr === true && tun.multi_queue !== true && tun.persist === true,
    up: link.flags.includes("UP"),
    hasGateway: hasGateway(link),
    hasRoute: routes.some((route) => route.dev === names.waker && route.dst === formatPrefix(names.pool)),
    settings: await readSettings(wantedWakerSettings, names.waker),
  };
}

const hasGateway = (link: ListedLink): boolean =>
  (link.addr_info ?? []).some(({ local, prefixlen }) => local === gatewayAddress && prefixlen === 32);

async function readSettings(wanted: Readonly<Record<string, string>>, device: string) {
  const settings = Object.keys(wanted).map(
    async (setting) => [setting, await readNetSetting(settingPath(setting, device))] as const,
  );
  return new Map(await Promise.all(settings));
}

function userId(name: string, passwd: string): number | undefined {
  const fields = passwd.split("\n").map((line) => line.split(":"));
  const id = fields.find(([user]) => user === name)?.[2];
  return id === undefined ? undefined : Number(id);
}
