/** Can these ports be published, and if not: who has them. */
import { networkInterfaces } from "node:os";
import { UniError } from "@uni/contract/errors";
import { type ListeningSocket, listeningSockets, ownerOfSocket } from "../host/listening-sockets.ts";
import { nftJson } from "../host/network-commands.ts";
import { parseAddress } from "./addresses.ts";
import type { Element } from "./elements.ts";
import type { Names } from "./names.ts";
import { readListing } from "./nft-listing.ts";
import type { Attachment, PublishedPort } from "./port.ts";

export const portText = (port: PublishedPort): string =>
  `${port.hostAddress}:${port.hostPort}/${port.protocol}`;

/** Two with the same text are the same. */
export const mappingText = (port: PublishedPort): string => `${portText(port)} ${port.guestPort}`;

/** `invalid_value` for what cannot be published on any host. */
export function validatePorts(ports: readonly PublishedPort[]): void {
  for (const port of ports) {
    if (!isPort(port.hostPort) || !isPort(port.guestPort)) {
      throw new UniError(
        "invalid_value",
        `publish ${portText(port)} to ${port.guestPort}: ports go from 1 to 65535`,
      );
    }
    if (port.protocol !== "tcp" && port.protocol !== "udp") {
      throw new UniError("invalid_value", `publish ${portText(port)}: the protocol is tcp or udp`);
    }
    if (parseAddress(port.hostAddress) === undefined) {
      throw new UniError(
        "invalid_value",
        `publish ${portText(port)}: "${port.hostAddress}" is no IPv4 address`,
      );
    }
  }
}

/** `invalid_value` for an address that this host does not have. */
export function validateLocal(ports: readonly PublishedPort[]): void {
  const local = Object.values(networkInterfaces()).flatMap(
    (list) => list?.map(({ address }) => address) ?? [],
  );
  const missing = ports.find(
    ({ hostAddress }) =>
      hostAddress !== "0.0.0.0" && !hostAddress.startsWith("127.") && !local.includes(hostAddress),
  );
  if (missing === undefined) return;
  throw new UniError(
    "invalid_value",
    `publish ${portText(missing)}: this host has no address ${missing.hostAddress}`,
    { hint: "Leave the address out to publish on all of them." },
  );
}

/** The first of `ports` that overlaps with one of `attached`, or with another of `ports`, is refused. */
export function refuseTaken(ports: readonly PublishedPort[], attached: readonly Attachment[]): void {
  for (const [index, port] of ports.entries()) {
    if (ports.slice(0, index).some((earlier) => clash(port, earlier))) {
      throw new UniError("port_in_use", `publish ${portText(port)}: asked for twice`);
    }
    const owner = attached.find((attachment) => attachment.ports.some((taken) => clash(port, taken)));
    if (owner !== undefined) throw inUse(port, `instance ${owner.instanceId} has it`);
  }
}

/** Asks the host: a process that listens, or another daemon that publishes. */
export async function refuseTakenOnHost(names: Names, ports: readonly PublishedPort[]): Promise<void> {
  if (ports.length === 0) return;
  const [sockets, others] = await Promise.all([listeningSockets(), publishedByOthers(names)]);
  for (const port of ports) {
    const socket = findListener(port, sockets);
    if (socket !== undefined) {
      const owner = await ownerOfSocket(socket.inode);
      const text =
        owner === undefined
          ? "a socket of the kernel or of a hidden process"
          : `${owner.name} (pid ${owner.pid})`;
      throw inUse(port, `${text} listens on it`);
    }
    const other = others.find((taken) => clash(port, taken.port));
    if (other !== undefined) throw inUse(port, `the Uni daemon with table ${other.table} publishes it`);
  }
}

export const findListener = (
  port: PublishedPort,
  sockets: readonly ListeningSocket[],
): ListeningSocket | undefined =>
  sockets.find(
    (socket) =>
      socket.protocol === port.protocol &&
      socket.port === port.hostPort &&
      (socket.address === "::" || (isIpv4(socket) && sameAddress(socket.address, port.hostAddress))),
  );

/** The published port that a map's element stands for. */
export function publishedBy(element: Element): PublishedPort | undefined {
  if (element.value === undefined) return undefined;
  const parts = element.key.split(" . ");
  const [protocol, hostPort] = parts.slice(-2);
  if (protocol !== "tcp" && protocol !== "udp") return undefined;
  return {
    hostAddress: parts.length === 3 ? (parts[0] ?? "") : "0.0.0.0",
    protocol,
    hostPort: Number(hostPort),
    guestPort: Number(element.value.split(" . ")[1]),
  };
}

async function publishedByOthers(
  names: Names,
): Promise<readonly { readonly table: string; readonly port: PublishedPort }[]> {
  const items = ((await nftJson(["list", "tables"])) ?? []) as readonly {
    table?: { family: string; name: string };
  }[];
  const tables = items.flatMap(({ table }) =>
    table?.family === "inet" && table.name.startsWith("uni_") && table.name !== names.table
      ? [table.name]
      : [],
  );
  const listings = await Promise.all(
    tables.map(async (table) => {
      const listed = (await nftJson(["list", "table", "inet", table])) ?? [];
      const ports = readListing("inet", listed).elements.flatMap((element) => publishedBy(element) ?? []);
      return ports.map((port) => ({ table, port }));
    }),
  );
  return listings.flat();
}

const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port <= 65535;

const isIpv4 = ({ address }: ListeningSocket): boolean => parseAddress(address) !== undefined;

const sameAddress = (a: string, b: string): boolean => a === "0.0.0.0" || b === "0.0.0.0" || a === b;

const clash = (a: PublishedPort, b: PublishedPort): boolean =>
  a.protocol === b.protocol && a.hostPort === b.hostPort && sameAddress(a.hostAddress, b.hostAddress);

const inUse = (port: PublishedPort, owner: string): UniError =>
  new UniError("port_in_use", `publish ${portText(port)}: ${owner}`, {
    hint: "Choose another host port, or stop the owner.",
  });
