/** What a service group and a create request with one of its own have in common. */
import Type, { type Static } from "typebox";
import { connectionHandlers, protocols } from "../enums.ts";
import { limits } from "../limits.ts";
import { integer, list, plainText, request, words } from "../schema.ts";
import { NameOrUuid, referenceMembers } from "./reference.ts";

export const Service = request({
  port: integer("Public port", limits.port),
  destination_port: Type.Optional(integer("Port in the instance; default the same", limits.port)),
  protocol: Type.Optional(words(protocols, "Default tcp")),
  ip: Type.Optional(Type.String({ description: "Public address, for udp" })),
  handlers: Type.Optional(
    list(
      words(connectionHandlers),
      "What the edge does with a connection. Uni: proxy tells the members in the PROXY protocol who has connected",
    ),
  ),
});
export type Service = Static<typeof Service>;

export const ServiceDomain = request({
  name: plainText("With a final dot: a full name; without: a label below the node's domain"),
  certificate: Type.Optional(NameOrUuid),
});
export type ServiceDomain = Static<typeof ServiceDomain>;

export const ServiceList = list(Service, "Published ports", limits.servicePorts);
export const DomainList = list(ServiceDomain, "Names it is reached by", limits.domains);
export const SoftLimit = integer(
  "Requests in flight per instance before another one is woken; default 1",
  limits.groupLimit,
);
export const HardLimit = integer(
  "Requests in flight per instance that are never exceeded; default 65535; at least soft_limit",
  limits.groupLimit,
);

export const ServiceGroupPart = request({
  ...referenceMembers,
  domains: Type.Optional(DomainList),
  services: Type.Optional(ServiceList),
  soft_limit: Type.Optional(SoftLimit),
  hard_limit: Type.Optional(HardLimit),
});
export type ServiceGroupPart = Static<typeof ServiceGroupPart>;
