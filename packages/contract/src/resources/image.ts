import Type, { type Static } from "typebox";
import { imageStates } from "../enums.ts";
import { outcomeMembers } from "../envelope.ts";
import { limits } from "../limits.ts";
import { answer, count, integer, note, request, timestamp, words } from "../schema.ts";
import { ImageSpec } from "./image-spec.ts";

export const Image = answer({
  url: Type.String({ description: "Reference with digest" }),
  created_at: timestamp("Creation"),
  initrd_or_rom: Type.Boolean({ description: "True when it cannot be booted" }),
  size_in_bytes: count("Bytes of the root file system on disk"),
  args: Type.Optional(Type.Array(Type.String(), { description: "Entry point and default arguments" })),
  env: Type.Optional(Type.Record(Type.String(), Type.String())),
  tags: Type.Optional(
    Type.Array(Type.String(), {
      description: "References that point at it, and its digest; of the node's store the bare tags",
    }),
  ),
  users: Type.Optional(Type.Array(Type.String(), { description: "Names of the accounts that may use it" })),
  persistent: Type.Optional(Type.Boolean(note("True when it is pinned; left out otherwise"))),
  digest: Type.Optional(Type.String({ description: "Uni: sha256:…" })),
});
export type Image = Static<typeof Image>;

export const PinImageItem = request({
  ...ImageSpec.properties,
  timeout_s: integer(
    "Seconds to wait for the pull, which goes on after them; -1: as long as pulls may take; never 0",
    { minimum: -1, maximum: limits.timeoutS.maximum },
  ),
  autokill: Type.Optional(
    request({ time_ms: integer("Unpin after this long without a use; 0: never", limits.autokillMs) }),
  ),
});
export type PinImageItem = Static<typeof PinImageItem>;

export const PinnedImage = answer({
  ...outcomeMembers,
  uuid: Type.Optional(Type.String()),
  name: Type.Optional(Type.String(note("Repository of the image"))),
  created_at: Type.Optional(timestamp("When it was pinned first")),
  state: Type.Optional(words(imageStates, "pending: its pull goes on")),
  url: Type.Optional(Type.String()),
  persistent: Type.Optional(Type.Boolean(note("Always true"))),
  tags: Type.Optional(Type.Array(Type.String())),
});
export type PinnedImage = Static<typeof PinnedImage>;

export const UnpinImageItem = request({ uuid: Type.String(note("Of the pin; nothing else names it")) });
export type UnpinImageItem = Static<typeof UnpinImageItem>;

export const UnpinnedImage = answer({
  ...outcomeMembers,
  uuid: Type.String(),
  name: Type.Optional(Type.String()),
});
