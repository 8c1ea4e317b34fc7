import Type, { type Static } from "typebox";
import { protocols } from "../enums.ts";
import { ipv4Pattern, limits } from "../limits.ts";
import { integer, request, words } from "../schema.ts";

/** A port of the host that leads to a port of the instance (Uni's addition, `-p` at the prompt). */
const mappingMembers = {
  host_port: integer("Port on the host", limits.port),
  guest_port: integer("Port in the instance", limits.port),
  protocol: Type.Optional(words(protocols, "Default tcp")),
  host_address: Type.Optional(
    Type.String({ pattern: ipv4Pattern, description: "IPv4 address of the host; default 0.0.0.0: all" }),
  ),
};
export const PortMapping = request(mappingMembers);
export type PortMapping = Static<typeof PortMapping>;

const { minimum, maximum } = limits.exposedPorts;
/** In changes of a running instance's ports. */
export const ExposedPort = request({
  ...mappingMembers,
  host_port: Type.Optional(
    integer(`Port on the host; absent: a free one from ${minimum} to ${maximum}`, limits.port),
  ),
});
export type ExposedPort = Static<typeof ExposedPort>;
