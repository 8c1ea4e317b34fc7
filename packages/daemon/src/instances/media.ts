/** Media that an instance is to have and that are not here yet: they are pulled before its first start. Pure. */
import type { PullPolicy } from "@uni/contract/enums";
import { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import type { RegistryCredentials } from "@uni/contract/registry-credentials";
import type { InstanceSpec } from "./record.ts";

/** How to pull, as the request said; its secrets are kept until that is done. */
export interface PullInstructions {
  readonly policy: PullPolicy;
  readonly credentials: RegistryCredentials | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly mergeRequests: boolean;
}

export interface MissingRom {
  readonly name: string;
  readonly at: string | null;
  readonly reference: string;
  readonly pull: PullInstructions;
}

export interface MissingMedia {
  /** Null: it is here. `byLabels`: they say how the instance sleeps. */
  readonly image: { readonly pull: PullInstructions; readonly byLabels: boolean } | null;
  readonly roms: readonly MissingRom[];
}

/** Null where nothing is missing. */
export function missingMedia(image: MissingMedia["image"], roms: readonly MissingRom[]): MissingMedia | null {
  return image === null && roms.length === 0 ? null : { image, roms };
}

export function knownImage(
  { imageDigest, imageReference }: Pick<InstanceSpec, "imageDigest" | "imageReference">,
  attempted: string,
): Digest {
  if (imageDigest !== null) return imageDigest;
  throw new UniError("wrong_state", `${attempted}: its image ${imageReference} has not been pulled yet`, {
    hint: "Its first start pulls it, and so does uni pull.",
  });
}
