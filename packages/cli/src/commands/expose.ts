import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { PortMapping } from "@uni/contract/resources/port-mapping";
import type { CommandModule } from "../define.ts";
import { type GuestPort, type HostPort, parseGuestPort, parseHostPort } from "../parse/exposed-port.ts";

const { minimum, maximum } = limits.exposedPorts;
const everywhere = "0.0.0.0";

/** The last one is the newest. */
function exposedAs(ports: readonly PortMapping[], guest: GuestPort, host: HostPort): PortMapping | undefined {
  return ports.findLast(
    ({ guest_port, host_port, protocol = "tcp", host_address = everywhere }) =>
      guest_port === guest.guest_port &&
      protocol === guest.protocol &&
      host_address === (host.host_address ?? everywhere) &&
      (host.host_port ?? host_port) === host_port,
  );
}

export const expose: CommandModule = {
  examples: [
    "uni expose db 5432",
    "uni expose db 5432 -p 15432",
    "uni expose db 5432 -p 127.0.0.1:0",
    "uni expose dns 53/udp",
  ],
  define(command, act) {
    command
      .argument("<name>", "instance")
      .argument("<port[/udp]>", "port in the instance", parseGuestPort)
      .option(
        "-p, --port <[addr:]port>",
        `port of this machine (default: a free one from ${minimum} to ${maximum})`,
        parseHostPort,
      )
      .action(
        act(async ({ client, out, signal }, id: string, guest: GuestPort, options: { port?: HostPort }) => {
          const host = options.port ?? {};
          const updates = [{ prop: "ports", op: "add", value: [{ ...guest, ...host }] }] as const;
          const { ports } = await client.call("VM.Update", { id, updates: [...updates] }, { signal });
          const port = exposedAs(ports ?? [], guest, host);
          if (port === undefined) {
            throw new UniError("internal", `exposing port ${guest.guest_port} of '${id}': it is not there`);
          }
          await out.show(port, { text: () => `${port.host_address ?? everywhere}:${port.host_port}\n` });
        }),
      );
  },
};
