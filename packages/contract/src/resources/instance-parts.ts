/** Members of a create request that stand for features of their own: services, volumes, ROMs, plugins, templates, networks. */
import Type, { type Static } from "typebox";
import { inlineDataEncodings, scaleToZeroPolicies, scheduleActions, volumeAccessModes } from "../enums.ts";
import { limits, romNamePattern } from "../limits.ts";
import { count, integer, list, plainText, request, tagList, words } from "../schema.ts";
import { ImageReference } from "./image-spec.ts";
import { referenceMembers } from "./reference.ts";

const path = (description: string) => plainText(description, limits.pathLength);

export const VolumePart = request({
  ...referenceMembers,
  size_mb: Type.Optional(integer("Size of a new volume", { minimum: 1, maximum: 1_048_576 })),
  host_path: Type.Optional(path("Directory of the host, for a managed volume")),
  at: path("Mount point"),
  readonly: Type.Optional(Type.Boolean()),
  quota_policy: Type.Optional(Type.String()),
  filesystem: Type.Optional(Type.String({ description: "ext4 (default) or virtiofs" })),
  tags: Type.Optional(tagList),
  uid: Type.Optional(count("Owner, managed volumes only")),
  gid: Type.Optional(count("Group, managed volumes only")),
  access_mode: Type.Optional(words(volumeAccessModes, "Default rwo")),
  args: Type.Optional(Type.Record(Type.String(), Type.String())),
});

export const InlineFile = request({
  path: path("Path inside the image"),
  encoding: Type.Optional(words(inlineDataEncodings, "Default text")),
  data: Type.String(),
});
export type InlineFile = Static<typeof InlineFile>;

export const RomName = Type.String({
  pattern: romNamePattern,
  description: "Unique per instance; the device is /dev/ukp_rom_<name>",
});

export const RomPart = request({
  name: RomName,
  image: Type.Optional(ImageReference),
  at: Type.Optional(path("Mount point; absent: block device only")),
  files: Type.Optional(list(InlineFile, "Inline content, at most 1 MiB; excludes image", limits.romFiles)),
});
export type RomPart = Static<typeof RomPart>;

export const RomParts = list(RomPart, "ROMs", limits.roms);

export const PluginPart = request({
  name: Type.String({ pattern: "^[A-Za-z0-9_-]{1,63}$" }),
  rom: Type.Optional(ImageReference),
  image: Type.Optional(ImageReference),
  config: Type.Optional(Type.Unknown()),
  authorization: Type.Optional(
    request({ type: words(["userdb", "bearer"]), token: Type.Optional(Type.String({ maxLength: 256 })) }),
  ),
});

export const AutokillPart = request({
  time_ms: Type.Optional(count("Milliseconds after the stop; 0: off")),
  num_requests: Type.Optional(count("Requests served before deletion; 0: off")),
});

export const TemplatePart = request({
  ...referenceMembers,
  prepare: Type.Optional(Type.Boolean()),
  create_args: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  prepare_timeout_s: Type.Optional(count("With prepare only; 0: no limit")),
  autokill: Type.Optional(request({ time_ms: Type.Optional(count("Milliseconds; 0: off")) })),
});

export const ScaleToZeroPart = request({
  policy: Type.Optional(words(scaleToZeroPolicies)),
  stateful: Type.Optional(Type.Boolean({ description: "Keep memory" })),
  cooldown_time_ms: Type.Optional(integer("Default 1000", limits.cooldownMs)),
  notify_time_ms: Type.Optional(integer("Below cooldown_time_ms; 0: not", limits.cooldownMs)),
});

export type ScaleToZeroPart = Static<typeof ScaleToZeroPart>;

export const SchedulePart = request({
  name: plainText("Unique per instance"),
  when: plainText("systemd calendar expression, UTC"),
  action: words(scheduleActions),
  next_at: Type.Optional(Type.String({ description: "In answers only" })),
  args: Type.Optional(list(Type.String(), "For action exec")),
});

export const NetworkInterfacePart = request({
  name: Type.Optional(plainText("Default <instance>-eth<N>")),
  tap_name: Type.Optional(plainText("Together with ip", 15)),
  ip: Type.Optional(plainText("CIDR; together with tap_name")),
  mac: Type.Optional(plainText("Unicast MAC address")),
  autoconfig: Type.Optional(Type.Boolean({ description: "Default true" })),
  relay: Type.Optional(request({ ...referenceMembers, relay_dns: Type.Optional(Type.Boolean()) })),
});
