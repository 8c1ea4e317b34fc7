/** The config of an image: strict about types, tolerant of members it does not know. */
import { UniError } from "@uni/contract/errors";
import { type Digest, isDigest } from "@uni/contract/ids";
import { digestProblem } from "./digest.ts";
import { asObject, asString, asStringMap, asStrings, member, optional, parseJson } from "./json-check.ts";
import type { ImageConfig } from "./port.ts";

export interface ParsedConfig {
  readonly os: string;
  readonly config: ImageConfig;
  readonly diffIds: readonly Digest[];
  readonly created: Date | undefined;
}

export function parseImageConfig(bytes: Uint8Array, what: string): ParsedConfig {
  const json = parseJson(bytes, what);
  const read = optional(member(json, "config"), `${what}: config`, asObject) ?? {};
  const at = (name: string): string => `${what}: config.${name}`;
  const strings = (name: string): string[] => optional(member(read, name), at(name), asStrings) ?? [];
  const text = (name: string): string => optional(member(read, name), at(name), asString) ?? "";
  const rootfs = asObject(member(json, "rootfs"), `${what}: rootfs`);
  const diffIds = asStrings(member(rootfs, "diff_ids") ?? [], `${what}: rootfs.diff_ids`);
  return {
    os: asString(member(json, "os"), `${what}: os`),
    config: {
      entrypoint: strings("Entrypoint"),
      cmd: strings("Cmd"),
      env: readEnvironment(strings("Env")),
      user: text("User"),
      workingDirectory: text("WorkingDir"),
      exposedPorts: Object.keys(optional(member(read, "ExposedPorts"), at("ExposedPorts"), asObject) ?? {}),
      labels: optional(member(read, "Labels"), at("Labels"), asStringMap) ?? {},
      stopSignal: text("StopSignal"),
      architecture: asString(member(json, "architecture"), `${what}: architecture`),
    },
    diffIds: diffIds.map((each) => asDiffId(each, what)),
    created: readTime(optional(member(json, "created"), `${what}: created`, asString)),
  };
}

/** `KEY=VALUE` each; the last one of a key wins, one without a value is no variable, as Docker has it. */
function readEnvironment(list: readonly string[]): Record<string, string> {
  const pairs: [string, string][] = [];
  for (const each of list) {
    const equals = each.indexOf("=");
    if (equals > 0) pairs.push([each.slice(0, equals), each.slice(equals + 1)]);
  }
  return Object.fromEntries(pairs);
}

function asDiffId(text: string, what: string): Digest {
  if (!isDigest(text)) {
    throw new UniError("image_invalid", `read ${what}: rootfs.diff_ids: ${digestProblem(text)}`);
  }
  return text;
}

/** Tools write zero times ("0001-01-01T00:00:00Z") for reproducible images: those tell nothing. */
function readTime(text: string | undefined): Date | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return time > 0 ? new Date(time) : undefined;
}

/** The document of an image that Uni itself puts together. No time in it: the same content gives the same digest. */
export function encodeImageConfig(config: ImageConfig, diffIds: readonly Digest[]): Buffer {
  const document = {
    architecture: config.architecture,
    os: "linux",
    config: {
      User: config.user,
      ExposedPorts: Object.fromEntries(config.exposedPorts.map((port) => [port, {}])),
      Env: Object.entries(config.env).map(([key, value]) => `${key}=${value}`),
      Entrypoint: config.entrypoint,
      Cmd: config.cmd,
      WorkingDir: config.workingDirectory,
      Labels: config.labels,
      StopSignal: config.stopSignal,
    },
    rootfs: { type: "layers", diff_ids: diffIds },
  };
  return Buffer.from(JSON.stringify(document));
}
