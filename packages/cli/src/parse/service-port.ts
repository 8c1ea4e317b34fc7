import { type ConnectionHandler, connectionHandlers } from "@uni/contract/enums";
import type { Service } from "@uni/contract/resources/service-parts";
import { InvalidArgumentError } from "commander";
import { parsePort } from "./port-map.ts";

const form = "Write it as PUBLIC:GUEST/HANDLER+HANDLER with http, tls, redirect and proxy, or as 443:GUEST.";

const isHandler = (word: string): word is ConnectionHandler =>
  connectionHandlers.some((handler) => handler === word);

/**
 * Undefined: a plain port of this machine. A service is what has handlers, `5432:5432/tls`, and `443:8080` alone, which
 * stands for HTTPS with port 80 redirecting to it.
 */
export function parseServicePort(text: string): readonly Service[] | undefined {
  const [mapping = "", suffix, ...rest] = text.split("/");
  const words = suffix?.split("+") ?? [];
  if (suffix === undefined) {
    if (!/^443:\d+$/.test(mapping)) return undefined;
    const guest = parsePort(mapping.slice("443:".length), form);
    return [
      { port: 443, destination_port: guest, handlers: ["http", "tls"] },
      { port: 80, destination_port: 443, handlers: ["http", "redirect"] },
    ];
  }
  if (!words.some(isHandler)) return undefined;
  const wrong = words.find((word) => !isHandler(word));
  if (wrong !== undefined) throw new InvalidArgumentError(`'${wrong}' is no handler. ${form}`);
  const [port = "", destination = port, ...more] = mapping.split(":");
  if (rest.length > 0 || more.length > 0) throw new InvalidArgumentError(form);
  return [
    {
      port: parsePort(port, form),
      destination_port: parsePort(destination, form),
      handlers: words.filter(isHandler),
    },
  ];
}

/** For commands that publish services only. */
export function collectServicePorts(text: string, before: readonly Service[] | undefined): Service[] {
  const services = parseServicePort(text);
  if (services === undefined) throw new InvalidArgumentError(form);
  return [...(before ?? []), ...services];
}
