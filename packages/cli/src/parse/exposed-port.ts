/** What `expose` and `unexpose` take for ports. */
import type { ExposedPort } from "@uni/contract/resources/port-mapping";
import { InvalidArgumentError } from "commander";
import { parsePort } from "./port-map.ts";

export type GuestPort = Pick<ExposedPort, "guest_port" | "protocol">;
export type HostPort = Pick<ExposedPort, "host_port" | "host_address">;

const guestForm = "Write it as PORT or PORT/udp.";
const hostForm = "Write it as PORT or ADDRESS:PORT.";

export function parseGuestPort(text: string): GuestPort {
  const [port = "", protocol = "tcp", ...rest] = text.split("/");
  if ((protocol !== "tcp" && protocol !== "udp") || rest.length > 0) {
    throw new InvalidArgumentError(`The protocol is tcp or udp. ${guestForm}`);
  }
  return { guest_port: parsePort(port, guestForm), protocol };
}

/** Port 0 asks for a free one. */
export function parseHostPort(text: string): HostPort {
  const parts = text.split(":");
  const address = parts.length === 2 ? parts[0] : undefined;
  if (parts.length > 2 || (address !== undefined && !/^\d{1,3}(\.\d{1,3}){3}$/.test(address))) {
    throw new InvalidArgumentError(hostForm);
  }
  const port = parts.at(-1) ?? "";
  return {
    ...(port === "0" ? {} : { host_port: parsePort(port, hostForm) }),
    ...(address === undefined ? {} : { host_address: address }),
  };
}
