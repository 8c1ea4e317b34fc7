import Type, { type Static } from "typebox";
import { mutableServiceGroupProperties } from "../enums.ts";
import { outcomeMembers } from "../envelope.ts";
import { limits } from "../limits.ts";
import { answer, count, integer, nameText, note, request, timestamp } from "../schema.ts";
import { Certificate } from "./certificate.ts";
import { propertyUpdate, takes, takesNothing, type UpdateValues, updateBodies } from "./property-update.ts";
import { DomainList, HardLimit, Service, ServiceList, SoftLimit } from "./service-parts.ts";

export const GroupAutokill = request({
  time_ms: Type.Optional(integer("Milliseconds after the group became empty; 0: off", limits.autokillMs)),
});
export type GroupAutokill = Static<typeof GroupAutokill>;

export const CreateServiceGroupRequest = request({
  name: Type.Optional(nameText("Unique per account; default made of random words")),
  services: ServiceList,
  domains: Type.Optional(DomainList),
  soft_limit: Type.Optional(SoftLimit),
  hard_limit: Type.Optional(HardLimit),
  autokill: Type.Optional(GroupAutokill),
});
export type CreateServiceGroupRequest = Static<typeof CreateServiceGroupRequest>;

/** In the daemon `value` is already checked against `serviceGroupUpdateValues`. */
export const ServiceGroupUpdate = propertyUpdate(mutableServiceGroupProperties);
export type ServiceGroupUpdate = Static<typeof ServiceGroupUpdate>;

export const { body: UpdateServiceGroupBody, item: UpdateServiceGroupsItem } =
  updateBodies(ServiceGroupUpdate);
export type UpdateServiceGroupsItem = Static<typeof UpdateServiceGroupsItem>;

export const serviceGroupUpdateValues: Readonly<Record<ServiceGroupUpdate["prop"], UpdateValues>> = {
  services: { set: takes(ServiceList), add: takes(ServiceList), del: takes(ServiceList) },
  domains: { set: takes(DomainList), add: takes(DomainList), del: takes(DomainList) },
  soft_limit: { set: takes(SoftLimit), del: takesNothing },
  hard_limit: { set: takes(HardLimit), del: takesNothing },
  autokill: { set: takes(GroupAutokill), del: takesNothing },
};

const identity = { uuid: Type.String(), name: Type.String() };

export const ServiceGroup = answer({
  ...outcomeMembers,
  ...identity,
  created_at: timestamp("Creation"),
  persistent: Type.Boolean({ description: "False: it goes with its last instance" }),
  autoscale: Type.Boolean(),
  soft_limit: count("Requests in flight per instance before another one is woken"),
  hard_limit: count("Requests in flight per instance that are never exceeded"),
  services: Type.Optional(Type.Array(Service)),
  domains: Type.Optional(
    Type.Array(answer({ fqdn: Type.String(), certificate: Type.Optional(Certificate) })),
  ),
  instances: Type.Optional(Type.Array(answer(identity), { description: "Members" })),
  autokill: Type.Optional(GroupAutokill),
});
export type ServiceGroup = Static<typeof ServiceGroup>;

const result = {
  ...outcomeMembers,
  uuid: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
};
export const UpdatedServiceGroup = answer({
  ...result,
  id: Type.Optional(Type.String(note("As given in the request"))),
});
export const DeletedServiceGroup = answer(result);
