import { architectureOf } from "@uni/contract/architecture";
import { UniError } from "@uni/contract/errors";
import type { Descriptor } from "./oci.ts";

/** This machine's architecture as images name it. */
export const hostArchitecture = (): string => architectureOf(process.arch);

/** The image for this machine among those of an index. Those without a platform only count when there is no other. */
export function choosePlatform(
  descriptors: readonly Descriptor[],
  architecture: string,
  what: string,
): Descriptor {
  const fitting = descriptors.filter(
    ({ platform }) => platform?.os === "linux" && platform.architecture === architecture,
  );
  // Among variants of one architecture the plain one, or the lowest, runs everywhere.
  const best = fitting.toSorted((a, b) => compare(a.platform?.variant ?? "", b.platform?.variant ?? ""))[0];
  if (best !== undefined) return best;
  const only = descriptors.filter(({ platform }) => platform === undefined);
  if (only.length === 1 && only[0] !== undefined) return only[0];
  throw wrongPlatform(
    what,
    architecture,
    descriptors.map(showPlatform).filter((each) => each !== "unknown/unknown"),
  );
}

export function wrongPlatform(what: string, architecture: string, found: readonly string[]): UniError {
  const listed = found.length === 0 ? "nothing" : [...new Set(found)].join(", ");
  return new UniError(
    "image_invalid",
    `import ${what}: it has no image for linux/${architecture}, only ${listed}`,
    {
      hint: `Build or save the image for linux/${architecture}.`,
    },
  );
}

function showPlatform({ platform }: Descriptor): string {
  if (platform === undefined) return "one without a platform";
  const { os, architecture, variant } = platform;
  return variant === "" ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
