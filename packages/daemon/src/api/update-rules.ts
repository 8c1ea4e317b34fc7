import type { MutableOperation } from "@uni/contract/enums";
import { UniError } from "@uni/contract/errors";
import type { ImageReference } from "@uni/contract/resources/image-spec";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import { updateValues } from "@uni/contract/resources/instance-update";
import type { UpdateValues } from "@uni/contract/resources/property-update";
import { notSupported } from "./create-rules.ts";
import { readImage } from "./image-rules.ts";
import { readRoms } from "./rom-rules.ts";
import { validate } from "./validate.ts";

/** The change with its value checked and in the one form that InstanceUpdate promises. */
export function readUpdate({ prop, op, value }: InstanceUpdate): InstanceUpdate {
  const operations = updateValues[prop];
  if (operations === undefined) throw notSupported(prop);
  const checked = readValue(operations, { prop, op, value });
  return checked === undefined ? { prop, op } : { prop, op, value: normalise(prop, op, checked) };
}

/** The value, checked against what the operation on the property takes; undefined where it may be left out and is. */
export function readValue(
  operations: UpdateValues,
  { prop, op, value }: { readonly prop: string; readonly op: MutableOperation; readonly value?: unknown },
): unknown {
  const takes = operations[op];
  if (takes === undefined) {
    const possible = Object.keys(operations).join(", ");
    throw new UniError("invalid_value", `Operation '${op}' is not possible on '${prop}', only: ${possible}`);
  }
  if (value !== undefined) return validate(takes.schema, value, "Member 'value'");
  if (takes.optional) return undefined;
  throw new UniError("invalid_value", "Missing member 'value'");
}

function normalise(prop: InstanceUpdate["prop"], op: InstanceUpdate["op"], value: unknown): unknown {
  if (prop === "image") return readImage(value as ImageReference);
  if (prop === "tags") return [...new Set(value as readonly string[])];
  if (prop === "roms" && op !== "del") return readRoms(value as readonly RomPart[]);
  const isList = prop === "args" || (["env", "annotations", "roms"].includes(prop) && op === "del");
  return isList && typeof value === "string" ? [value] : value;
}
