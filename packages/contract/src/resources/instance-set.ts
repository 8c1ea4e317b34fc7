/** Bodies of the operations that take several instances at one instant: all of them, or none. */
import Type, { type Static } from "typebox";
import { limits } from "../limits.ts";
import { nameText, request, tagList } from "../schema.ts";
import { CreateInstanceRequest } from "./instance.ts";
import { NameOrUuid } from "./reference.ts";

export const instanceSet = { minItems: 1, maxItems: limits.instanceSet };

/** How what is made of them is named. */
export const setNameMembers = {
  name: CreateInstanceRequest.properties.name,
  suffix: Type.Optional(nameText("Each is named <instance>-<suffix>")),
};

const instances = Type.Array(NameOrUuid, instanceSet);

export const BranchSetBody = request({
  instances,
  ...setNameMembers,
  autostart: Type.Optional(Type.Boolean({ description: "Default true" })),
});
export type BranchSetBody = Static<typeof BranchSetBody>;

export const CheckpointSetBody = request({ instances, ...setNameMembers, tags: Type.Optional(tagList) });
export type CheckpointSetBody = Static<typeof CheckpointSetBody>;

export const RewindSetBody = request({
  rewinds: Type.Array(request({ instance: NameOrUuid, checkpoint: NameOrUuid }), instanceSet),
});
export type RewindSetBody = Static<typeof RewindSetBody>;
