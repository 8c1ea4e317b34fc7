/** Which handlers a public port must and must not have. */
import { UniError } from "@uni/contract/errors";
import type { Service } from "@uni/contract/resources/service-parts";
import type { GroupService } from "./record.ts";

const httpPort = 80;
const httpsPort = 443;

/** The published ports in one form; throws at the first that breaks a rule. */
export function readServices(given: readonly Service[]): GroupService[] {
  if (given.length === 0) throw refused("A service group needs at least one service");
  const services = given.map(readService);
  const seen = new Set<number>();
  for (const { port } of services) {
    if (seen.has(port)) throw refused(`Port ${port} is published twice`);
    seen.add(port);
  }
  return services;
}

function readService({ port, destination_port, protocol = "tcp", ip, handlers = [] }: Service): GroupService {
  if (protocol === "udp") {
    throw new UniError("not_supported", `Port ${port}: the edge carries no UDP`, {
      hint: "Publish it on the host: -p HOST:GUEST/udp.",
    });
  }
  if (ip !== undefined) throw refused(`Port ${port}: 'ip' is for UDP only`);
  const has = new Set(handlers);
  if (has.has("redirect") && port !== httpPort) {
    throw refused(`Port ${port} cannot have the handler 'redirect': only port 80 redirects, to 443`);
  }
  const destinationPort = destination_port ?? (has.has("redirect") ? httpsPort : port);
  if (has.has("redirect") && destinationPort !== httpsPort) {
    throw refused(`Port 80 redirects to 443 only, not to ${destinationPort}`);
  }
  if (has.has("redirect") && has.has("proxy")) {
    throw refused(`Port ${port} redirects: there is nobody to tell in the PROXY protocol`);
  }
  const needsHttp = port === httpPort || port === httpsPort;
  const needsTls = port !== httpPort;
  if (needsHttp && !has.has("http")) throw refused(`Port ${port} needs the handler 'http'`);
  if (!needsHttp && has.has("http")) {
    throw refused(`Port ${port} cannot have the handler 'http': only ports 80 and 443 have it`);
  }
  if (needsTls && !has.has("tls")) throw refused(`Port ${port} needs the handler 'tls'`);
  if (!needsTls && has.has("tls")) throw refused(`Port ${port} cannot have the handler 'tls'`);
  return { port, destinationPort, handlers: [...has].toSorted() };
}

const refused = (message: string) =>
  new UniError("invalid_value", message, {
    hint: "Port 80 is http or http+redirect, 443 is http+tls, any other port is tls; proxy may go with each but redirect.",
  });
