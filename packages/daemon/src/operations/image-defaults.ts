/** What an image says of the instances that are made of it. */
import { UniError } from "@uni/contract/errors";
import { sleepOfLabels } from "@uni/contract/image-labels";
import type { CreateInstanceRequest } from "@uni/contract/resources/instance";
import type { Image } from "../images/port.ts";
import type { InstanceSpec } from "../instances/record.ts";
import { readScaleToZero } from "../instances/scale-to-zero.ts";

/** Its labels may say how instances sleep where the request says nothing of it and they can. */
export const asksLabels = (request: CreateInstanceRequest): boolean =>
  request.scale_to_zero === undefined && request.features?.includes("delete-on-stop") !== true;

export function imageDefaults({ config }: Image): Pick<InstanceSpec, "scaleToZero"> {
  const sleep = sleepOfLabels(config.labels);
  return { scaleToZero: sleep === undefined ? null : readScaleToZero(sleep) };
}

/** A program of the owner's own choice is looked at by the guest, when it starts. */
export function refuseMissingLibraries(
  { missing, config }: Image,
  entrypoint: readonly string[] | null | undefined,
  attempted: string,
): void {
  if (missing === undefined || missing.length === 0 || (entrypoint ?? undefined) !== undefined) return;
  const program = [...config.entrypoint, ...config.cmd][0] ?? "";
  throw new UniError(
    "elf_dynamic",
    `${attempted}: ${program} of the image needs ${missing.join(", ")}, which the image does not have`,
    { hint: "Build the program with its libraries (uni build PROGRAM --with-libs), or link it statically." },
  );
}
