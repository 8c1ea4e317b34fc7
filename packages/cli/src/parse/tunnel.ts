import { isIP } from "node:net";
import { InvalidArgumentError } from "commander";
import { parsePort } from "./port-map.ts";

export interface TunnelTarget {
  readonly address: string;
  /** 0: any free one. */
  readonly localPort: number;
  readonly instance: string;
  readonly port: number;
}

const form = "Write it as NAME:PORT, LOCAL:NAME:PORT or ADDRESS:LOCAL:NAME:PORT; TCP alone is carried.";
const loopback = "127.0.0.1";

/** `db:5432`, `5433:db:5432`, `127.0.0.1:5433:db:5432`, `[::1]:5433:db:5432`. */
export function parseTunnel(text: string): TunnelTarget {
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(text);
  const [port = "", instance = "", local = "0", plain = loopback, ...rest] = (bracketed?.[2] ?? text)
    .split(":")
    .reverse();
  const address = bracketed?.[1] ?? plain;
  if (instance === "" || rest.length > 0 || isIP(address) === 0) throw new InvalidArgumentError(form);
  const localPort = local === "0" || local === "" ? 0 : parsePort(local, form);
  return { address, localPort, instance, port: parsePort(port, form) };
}

export function collectTunnels(text: string, before: readonly TunnelTarget[] | undefined): TunnelTarget[] {
  return [...(before ?? []), parseTunnel(text)];
}
