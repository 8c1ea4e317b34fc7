import { InvalidArgumentError } from "commander";

export interface PortMap {
  readonly host_port: number;
  readonly guest_port: number;
  readonly protocol: "tcp" | "udp";
  readonly host_address?: string;
}

const form = "Write it as HOST:GUEST, HOST:GUEST/udp or ADDRESS:HOST:GUEST.";

export function parsePort(text: string, help: string = form): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new InvalidArgumentError(`'${text}' is not a port number. ${help}`);
  return port;
}

/** `8080:80`, `8080:80/udp`, `127.0.0.1:8080:80`; `80` alone publishes the same number. */
export function parsePortMap(text: string): PortMap {
  const [mapping = "", protocol = "tcp", ...rest] = text.split("/");
  if ((protocol !== "tcp" && protocol !== "udp") || rest.length > 0) {
    throw new InvalidArgumentError(`The protocol is tcp or udp. ${form}`);
  }
  const parts = mapping.split(":");
  if (parts.length > 3) throw new InvalidArgumentError(form);
  const guest = parsePort(parts.at(-1) ?? "");
  const host = parts.length === 1 ? guest : parsePort(parts.at(-2) ?? "");
  const address = parts.length === 3 ? parts[0] : undefined;
  if (address !== undefined && !/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) {
    throw new InvalidArgumentError(`'${address}' is not an IPv4 address. ${form}`);
  }
  return {
    host_port: host,
    guest_port: guest,
    protocol,
    ...(address === undefined ? {} : { host_address: address }),
  };
}
