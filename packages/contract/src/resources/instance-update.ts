import Type from "typebox";
import type { MutableInstanceProperty } from "../enums.ts";
import { limits } from "../limits.ts";
import { list, tagList } from "../schema.ts";
import { ImageReference } from "./image-spec.ts";
import { Annotations, ArgumentList, Environment, Hostname, MemoryMb, Vcpus } from "./instance.ts";
import { RomName, RomParts, ScaleToZeroPart } from "./instance-parts.ts";
import { ExposedPort } from "./port-mapping.ts";
import { mayTake, takes, takesNothing, type UpdateValues } from "./property-update.ts";

const argumentsOrOne = Type.Union([ArgumentList, Type.String({ maxLength: limits.argumentBytes })]);
const keys = Type.Union([Type.Array(Type.String(), { maxItems: limits.environment }), Type.String()]);
const portList = list(ExposedPort, "Ports published on the host", limits.ports);
const romNames = Type.Union([Type.Array(RomName, { maxItems: limits.roms }), RomName]);

/** A property that is missing belongs to a feature that is not there yet. */
export const updateValues: Readonly<Partial<Record<MutableInstanceProperty, UpdateValues>>> = {
  image: { set: takes(ImageReference) },
  args: { set: takes(argumentsOrOne), add: takes(argumentsOrOne), del: mayTake(argumentsOrOne) },
  env: { set: takes(Environment), add: takes(Environment), del: mayTake(keys) },
  annotations: { set: takes(Annotations), add: takes(Annotations), del: mayTake(keys) },
  memory_mb: { set: takes(MemoryMb) },
  vcpus: { set: takes(Vcpus) },
  tags: { set: takes(tagList), add: takes(tagList), del: mayTake(tagList) },
  delete_lock: { set: takes(Type.Boolean()), del: takesNothing },
  scale_to_zero: { set: takes(ScaleToZeroPart), add: takes(ScaleToZeroPart), del: takesNothing },
  hostname: { set: takes(Hostname), del: takesNothing },
  roms: { set: takes(RomParts), add: takes(RomParts), del: mayTake(romNames) },
  ports: { set: takes(portList), add: takes(portList), del: mayTake(portList) },
};
