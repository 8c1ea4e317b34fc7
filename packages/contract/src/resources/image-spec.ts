import Type, { type Static } from "typebox";
import { pullPolicies } from "../enums.ts";
import { limits } from "../limits.ts";
import { plainText, request, words } from "../schema.ts";

export const ImageSpec = request({
  url: plainText("Image reference", limits.pathLength),
  credentials: Type.Optional(Type.String({ description: "For the registry; never shown again" })),
  headers: Type.Optional(
    Type.Record(Type.String(), Type.String(), { description: "Extra headers for the pull" }),
  ),
  pull_policy: Type.Optional(words(pullPolicies)),
  merge_requests: Type.Optional(Type.Boolean({ description: "Join a pull that is already under way" })),
});
export type ImageSpec = Static<typeof ImageSpec>;

/** An image by its reference, or by a reference with instructions for its pull. */
export const ImageReference = Type.Union([plainText("Image reference", limits.pathLength), ImageSpec]);
export type ImageReference = Static<typeof ImageReference>;
