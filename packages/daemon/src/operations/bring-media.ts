/** Images of instances and of their ROMs: what is here is known at once, the rest is pulled before the first start. */
import { UniError } from "@uni/contract/errors";
import { parseCredentials } from "@uni/contract/registry-credentials";
import type { ImageReference } from "@uni/contract/resources/image-spec";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import type { Image, Images } from "../images/port.ts";
import { checkProgram } from "../instances/create-spec.ts";
import type { MissingRom, PullInstructions } from "../instances/media.ts";
import type { InstanceRecord, InstanceSpec } from "../instances/record.ts";
import { mergeRoms, type Rom } from "../instances/roms.ts";
import { imageDefaults, refuseMissingLibraries } from "./image-defaults.ts";

export interface FoundImage {
  readonly reference: string;
  /** Undefined: it is to be pulled. */
  readonly image: Image | undefined;
  readonly pull: PullInstructions;
}

/** Does not wait for a registry. */
export async function findImage(images: Images, given: ImageReference): Promise<FoundImage> {
  const { url: reference, ...spec } = typeof given === "string" ? { url: given } : given;
  const pull: PullInstructions = {
    policy: spec.pull_policy ?? "if_not_present",
    credentials: spec.credentials === undefined ? null : (parseCredentials(spec.credentials) ?? null),
    headers: spec.headers ?? {},
    mergeRequests: spec.merge_requests ?? true,
  };
  const here = await images.find(reference);
  if (here === undefined && pull.policy === "never") await images.resolve(reference);
  return { reference, image: pull.policy === "always" ? undefined : here, pull };
}

/** Waits for a registry, as long as an instance does. */
export function pullImage(
  images: Images,
  { reference, pull }: Pick<FoundImage, "reference" | "pull">,
  signal: AbortSignal,
): Promise<Image> {
  const { policy, credentials, headers, mergeRequests } = pull;
  const request = {
    policy,
    credentials: credentials ?? undefined,
    headers,
    mergeRequests,
    forInstance: true,
  };
  return images.pull(reference, request, { signal, onProgress: () => {} });
}

export async function findOrPull(
  images: Images,
  given: ImageReference,
  signal: AbortSignal,
): Promise<{ readonly reference: string; readonly image: Image }> {
  const found = await findImage(images, given);
  return { reference: found.reference, image: found.image ?? (await pullImage(images, found, signal)) };
}

/** ROMs whose images are to be pulled, apart from the others. */
export async function splitRoms(
  images: Images,
  parts: readonly RomPart[],
): Promise<{ readonly here: readonly RomPart[]; readonly missing: readonly MissingRom[] }> {
  const here: RomPart[] = [];
  const missing: MissingRom[] = [];
  for (const part of parts) {
    const { name, at = null, image } = part;
    const found = image === undefined ? undefined : await findImage(images, image);
    if (found === undefined || found.image !== undefined) here.push(part);
    else missing.push({ name, at, reference: found.reference, pull: found.pull });
  }
  return { here, missing };
}

/** Pulls what is missing, and says how the specification is with it. */
export async function bringMedia(
  images: Images,
  { name, spec }: InstanceRecord,
  signal: AbortSignal,
): Promise<Partial<InstanceSpec>> {
  const { media } = spec;
  if (media === null) return {};
  const [image, ...roms] = await Promise.all([
    media.image === null ? undefined : bringImage(images, spec, { ...media.image, name, signal }),
    ...media.roms.map((rom) => bringRom(images, rom, signal)),
  ]);
  return { ...image, roms: mergeRoms(spec.roms, roms), media: null };
}

async function bringImage(
  images: Images,
  spec: InstanceSpec,
  options: {
    readonly pull: PullInstructions;
    readonly byLabels: boolean;
    readonly name: string;
    readonly signal: AbortSignal;
  },
): Promise<Partial<InstanceSpec>> {
  const { pull, byLabels, name, signal } = options;
  const image = await pullImage(images, { reference: spec.imageReference, pull }, signal);
  const attempted = `start instance '${name}'`;
  refuseMissingLibraries(image, spec.entrypoint, attempted);
  checkProgram(spec, image, attempted);
  return { imageDigest: image.digest, ...(byLabels ? imageDefaults(image) : {}) };
}

async function bringRom(
  images: Images,
  { name, at, reference, pull }: MissingRom,
  signal: AbortSignal,
): Promise<Rom> {
  try {
    const { digest } = await pullImage(images, { reference, pull }, signal);
    return { name, at, content: `image:${digest}`, source: { image: reference } };
  } catch (error) {
    if (!(error instanceof UniError)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw new UniError(error.code, `bring ROM '${name}': ${error.message}`, { ...hint, cause: error });
  }
}
