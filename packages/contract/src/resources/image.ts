import Type, { type Static } from "typebox";
import { answer, count, timestamp } from "../schema.ts";

export const Image = answer({
  url: Type.String({ description: "Reference with digest" }),
  created_at: timestamp("Creation"),
  initrd_or_rom: Type.Boolean({ description: "True when it cannot be booted" }),
  size_in_bytes: count("Bytes of the root file system on disk"),
  args: Type.Optional(Type.Array(Type.String(), { description: "Entry point and default arguments" })),
  env: Type.Optional(Type.Record(Type.String(), Type.String())),
  tags: Type.Optional(Type.Array(Type.String(), { description: "References that point at it" })),
  users: Type.Optional(Type.Array(Type.String())),
  persistent: Type.Optional(Type.Boolean()),
  digest: Type.Optional(Type.String({ description: "Uni: sha256:…" })),
});
export type Image = Static<typeof Image>;
