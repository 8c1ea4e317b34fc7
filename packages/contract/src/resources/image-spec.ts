import Type, { type Static } from "typebox";
import { pullPolicies } from "../enums.ts";
import { limits } from "../limits.ts";
import { plainText, request, words } from "../schema.ts";

export const ImageSpec = request({
  url: plainText("Image reference", limits.pathLength),
  credentials: Type.Optional(
    Type.String({
      maxLength: 65_536,
      description:
        "For the registry: user:password, or the base64 of that. Kept until the image is here; never shown",
    }),
  ),
  headers: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: "Extra headers for the registry, at most 32",
      maxProperties: 32,
    }),
  ),
  pull_policy: Type.Optional(words(pullPolicies, "Default if_not_present")),
  merge_requests: Type.Optional(Type.Boolean({ description: "Join a pull that is already under way" })),
});
export type ImageSpec = Static<typeof ImageSpec>;

/** An image by its reference, or by a reference with instructions for its pull. */
export const ImageReference = Type.Union([plainText("Image reference", limits.pathLength), ImageSpec]);
export type ImageReference = Static<typeof ImageReference>;
