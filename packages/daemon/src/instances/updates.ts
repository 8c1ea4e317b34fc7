/** Changes of an instance's properties: pure, on its spec. Values come checked and in one form (contract, InstanceUpdate). */
import { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import type { ScaleToZeroPart } from "@uni/contract/resources/instance-parts";
import { missingMedia } from "./media.ts";
import type { InstanceSpec } from "./record.ts";
import { mergeRoms, type Rom } from "./roms.ts";
import { readScaleToZero, refuseSleepOfPassing } from "./scale-to-zero.ts";

type Property = InstanceUpdate["prop"];

/** These hold at once, whatever the instance is doing; all others wait until it is stopped. */
const immediate: ReadonlySet<Property> = new Set(["tags", "delete_lock", "annotations", "scale_to_zero"]);

export const isImmediate = (update: InstanceUpdate): boolean => immediate.has(update.prop);

/** The spec after the change. `image` is resolved by the caller and not handled here; ROMs are, into `Rom[]`. */
export function applyUpdate(spec: InstanceSpec, update: InstanceUpdate): Partial<InstanceSpec> {
  const { prop, op, value } = update;
  switch (prop) {
    case "tags":
      return { tags: checkedTags(changeList(spec.tags, op, value)) };
    case "annotations":
      return { annotations: changeMap(spec.annotations, op, value) };
    case "env":
      return { env: changeMap(spec.env, op, value) };
    case "args":
      return { args: op === "del" ? null : changeList(op === "add" ? (spec.args ?? []) : [], "add", value) };
    case "memory_mb":
      return { memoryMb: op === "del" ? limits.memoryMb.default : (value as number) };
    case "vcpus":
      return { vcpus: op === "del" ? limits.vcpus.default : (value as number) };
    case "scale_to_zero":
      return { scaleToZero: changeScaleToZero(spec, op, value) };
    case "delete_lock":
      return { deleteLock: op === "del" ? false : (value as boolean) };
    case "hostname":
      return { hostname: op === "del" ? null : (value as string) };
    case "roms":
      return { roms: changeRoms(spec.roms, op, value), media: changeMissingRoms(spec.media, op, value) };
    default:
      throw new UniError("not_supported", `change '${prop}' of an instance: not supported by this version`);
  }
}

/** `set` starts from the defaults, `add` changes what is given. */
function changeScaleToZero(
  spec: InstanceSpec,
  op: InstanceUpdate["op"],
  value: unknown,
): InstanceSpec["scaleToZero"] {
  if (op === "del") return null;
  const setting = readScaleToZero(value as ScaleToZeroPart, op === "add" ? spec.scaleToZero : null);
  refuseSleepOfPassing(spec, setting);
  return setting;
}

function changeRoms(roms: readonly Rom[], op: InstanceUpdate["op"], value: unknown): readonly Rom[] {
  if (op !== "del") return mergeRoms(op === "add" ? roms : [], value as readonly Rom[]);
  const names = value as readonly string[] | undefined;
  return names === undefined ? [] : roms.filter(({ name }) => !names.includes(name));
}

function changeMissingRoms(
  media: InstanceSpec["media"],
  op: InstanceUpdate["op"],
  value: unknown,
): InstanceSpec["media"] {
  if (media === null) return null;
  const all = op === "set" || value === undefined;
  const names =
    op === "del"
      ? (value as readonly string[] | undefined)
      : (value as readonly Rom[]).map(({ name }) => name);
  return missingMedia(
    media.image,
    all ? [] : media.roms.filter(({ name }) => names?.includes(name) !== true),
  );
}

function changeList(list: readonly string[], op: InstanceUpdate["op"], value: unknown): readonly string[] {
  const values = (value ?? []) as readonly string[];
  if (op === "set") return values;
  if (op === "add") return [...list, ...values];
  return value === undefined ? [] : list.filter((item) => !values.includes(item));
}

function changeMap(
  map: Readonly<Record<string, string>>,
  op: InstanceUpdate["op"],
  value: unknown,
): Readonly<Record<string, string>> {
  if (op === "set") return value as Record<string, string>;
  if (op === "add") return { ...map, ...(value as Record<string, string>) };
  if (value === undefined) return {};
  const keys = new Set(value as readonly string[]);
  return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.has(key)));
}

function checkedTags(tags: readonly string[]): readonly string[] {
  const distinct = [...new Set(tags)];
  if (distinct.length > limits.tags) {
    throw new UniError(
      "too_many",
      `tag the instance: ${distinct.length} tags are over the limit of ${limits.tags}`,
    );
  }
  return distinct;
}
