import Type, { type Static } from "typebox";
import { request } from "../schema.ts";

/** Members by which a request names a resource; exactly one must be there, which `requireOneReference` checks. */
export const referenceMembers = {
  uuid: Type.Optional(Type.String({ description: "Give exactly one of uuid and name" })),
  name: Type.Optional(Type.String({ minLength: 1, description: "Give exactly one of uuid and name" })),
};

export const NameOrUuid = request(referenceMembers);
export type NameOrUuid = Static<typeof NameOrUuid>;
