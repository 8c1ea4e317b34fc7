import Type, { type Static, type TSchema } from "typebox";
import type { MutableServiceGroupProperty } from "../enums.ts";
import { type MutableOperation, mutableOperations, mutableServiceGroupProperties } from "../enums.ts";
import { outcomeMembers } from "../envelope.ts";
import { limits } from "../limits.ts";
import { answer, count, integer, nameText, note, request, timestamp, words } from "../schema.ts";
import { Certificate } from "./certificate.ts";
import { referenceMembers } from "./reference.ts";
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
export const ServiceGroupUpdate = request({
  prop: words(mutableServiceGroupProperties),
  op: words(mutableOperations),
  value: Type.Optional(Type.Unknown()),
});
export type ServiceGroupUpdate = Static<typeof ServiceGroupUpdate>;

const updateMembers = {
  id: Type.Optional(Type.String({ maxLength: limits.nameLength, description: "Echoed in the answer" })),
  ...ServiceGroupUpdate.properties,
};
export const UpdateServiceGroupBody = request(updateMembers);
export const UpdateServiceGroupsItem = request({ ...referenceMembers, ...updateMembers });
export type UpdateServiceGroupsItem = Static<typeof UpdateServiceGroupsItem>;

/** What an operation on a property takes; undefined: nothing, it goes back to its default. */
export const serviceGroupUpdateValues: Readonly<
  Record<MutableServiceGroupProperty, Partial<Record<MutableOperation, TSchema | undefined>>>
> = {
  services: { set: ServiceList, add: ServiceList, del: ServiceList },
  domains: { set: DomainList, add: DomainList, del: DomainList },
  soft_limit: { set: SoftLimit, del: undefined },
  hard_limit: { set: HardLimit, del: undefined },
  autokill: { set: GroupAutokill, del: undefined },
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
