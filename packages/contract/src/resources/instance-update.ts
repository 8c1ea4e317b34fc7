import Type, { type TSchema } from "typebox";
import type { MutableInstanceProperty, MutableOperation } from "../enums.ts";
import { limits } from "../limits.ts";
import { list, tagList } from "../schema.ts";
import { ImageReference } from "./image-spec.ts";
import { Annotations, ArgumentList, Environment, Hostname, MemoryMb, Vcpus } from "./instance.ts";
import { RomName, RomParts, ScaleToZeroPart } from "./instance-parts.ts";
import { ExposedPort } from "./port-mapping.ts";

/** What one operation on one property takes. `optional`: the value may be left out, which clears the property. */
export interface UpdateValue {
  readonly schema: TSchema;
  readonly optional: boolean;
}

const takes = (schema: TSchema): UpdateValue => ({ schema, optional: false });
const mayTake = (schema: TSchema): UpdateValue => ({ schema, optional: true });

const argumentsOrOne = Type.Union([ArgumentList, Type.String({ maxLength: limits.argumentBytes })]);
const keys = Type.Union([Type.Array(Type.String(), { maxItems: limits.environment }), Type.String()]);
const portList = list(ExposedPort, "Ports published on the host", limits.ports);
const romNames = Type.Union([Type.Array(RomName, { maxItems: limits.roms }), RomName]);
const nothing = mayTake(Type.Never());

/** A property that is missing belongs to a feature that is not there yet; an operation that is missing makes no sense on it. */
export const updateValues: Readonly<
  Partial<Record<MutableInstanceProperty, Partial<Record<MutableOperation, UpdateValue>>>>
> = {
  image: { set: takes(ImageReference) },
  args: { set: takes(argumentsOrOne), add: takes(argumentsOrOne), del: mayTake(argumentsOrOne) },
  env: { set: takes(Environment), add: takes(Environment), del: mayTake(keys) },
  annotations: { set: takes(Annotations), add: takes(Annotations), del: mayTake(keys) },
  memory_mb: { set: takes(MemoryMb) },
  vcpus: { set: takes(Vcpus) },
  tags: { set: takes(tagList), add: takes(tagList), del: mayTake(tagList) },
  delete_lock: { set: takes(Type.Boolean()), del: nothing },
  scale_to_zero: { set: takes(ScaleToZeroPart), add: takes(ScaleToZeroPart), del: nothing },
  hostname: { set: takes(Hostname), del: nothing },
  roms: { set: takes(RomParts), add: takes(RomParts), del: mayTake(romNames) },
  ports: { set: takes(portList), add: takes(portList), del: mayTake(portList) },
};
