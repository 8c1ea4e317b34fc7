import Type, { type Static } from "typebox";
import { protocols } from "../enums.ts";
import { ipv4Pattern, limits } from "../limits.ts";
import { integer, request, words } from "../schema.ts";

/** A port of the host that leads to a port of the instance (Uni's addition, `-p` at the prompt). */
export const PortMapping = request({
  host_port: integer("Port on the host", limits.port),
  guest_port: integer("Port in the instance", limits.port),
  protocol: Type.Optional(words(protocols, "Default tcp")),
  host_address: Type.Optional(
    Type.String({ pattern: ipv4Pattern, description: "IPv4 address of the host; default 0.0.0.0: all" }),
  ),
});
export type PortMapping = Static<typeof PortMapping>;
