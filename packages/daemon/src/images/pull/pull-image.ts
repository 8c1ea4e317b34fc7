/** Pulls by their policies: what is asked of the store, what of a registry, and what is shared with who asks at the same time. */
import { createHash } from "node:crypto";
import { UniError } from "@uni/contract/errors";
import { type Digest, isDigest } from "@uni/contract/ids";
import { splitName } from "@uni/contract/image-names";
import { nearNames } from "../../base/near-names.ts";
import type { ImageRow } from "../../store/images.ts";
import { importImage } from "../import-image.ts";
import type { ImageOptions, Progress, PullRequest } from "../port.ts";
import { type ImageReference, parseReference } from "../reference.ts";
import type { Remote } from "../remote/client.ts";
import { resolveImage } from "../resolve-image.ts";
import type { Room } from "../room.ts";
import { PullTurns } from "./pull-turns.ts";
import { registrySource } from "./registry-source.ts";
import { type Caller, SharedWork } from "./shared-work.ts";

export type Pull = (reference: string, request: PullRequest, options: ImageOptions) => Promise<Digest>;

/** Images on their way. */
const atOnce = { most: 6, mostOfOne: 3 };
/** Pulls of one image that want no company. */
const mostApart = 64;

/** For all accounts. */
export const pullTurns = (): PullTurns => new PullTurns(atOnce);

export function createPull(room: Room, remote: Remote, turns: PullTurns): Pull {
  const shared = new SharedWork<Progress, Digest>(({ step, layer }) => layer ?? step);
  const apart = new Map<string, number>();
  const fetch =
    (wanted: Wanted) =>
    ({ signal, onReport }: Caller<Progress>) => {
      const onWait = (): void =>
        onReport({ step: "wait", message: "waiting: many other pulls are under way" });
      return turns.run(splitName(wanted.reference.name).host ?? "", { signal, onWait }, () =>
        fetchImage(room, remote, wanted, { signal, onProgress: onReport }),
      );
    };

  const pull: Pull = async (text, request, options) => {
    const here = request.policy === "always" ? undefined : await findHere(room, text, { elsewhere: true });
    if (here !== undefined) return here.digest;
    if (request.policy === "never") throw notHere(text);
    const wanted: Wanted = { text, reference: readReference(text), request };
    const key = keyOf(wanted);
    const caller = { signal: options.signal, onReport: options.onProgress };
    if (request.mergeRequests !== false) return shared.join(key, caller, fetch(wanted));
    const count = apart.get(key) ?? 0;
    if (count >= mostApart) {
      throw new UniError("too_many", `pull ${text}: ${count} pulls of it are under way, and none is shared`);
    }
    apart.set(key, count + 1);
    try {
      return await fetch(wanted)(caller);
    } finally {
      const left = (apart.get(key) ?? 1) - 1;
      if (left === 0) apart.delete(key);
      else apart.set(key, left);
    }
  };
  return (text, request, options) =>
    pull(text, request, options).catch((error) => withNearNames(room, text, error));
}

interface Wanted {
  readonly text: string;
  readonly reference: ImageReference;
  readonly request: PullRequest;
}

async function fetchImage(
  room: Room,
  remote: Remote,
  { text, reference, request }: Wanted,
  options: ImageOptions,
): Promise<Digest> {
  const { signal, onProgress } = options;
  const repository = await remote.openRepository(reference, {
    credentials: request.credentials,
    headers: request.headers,
    withKept: room.tenant.isMachine,
    actions: "pull",
    attempted: `pull ${text}`,
    onRetry: (reason, pauseMs) =>
      onProgress({ step: "wait", message: `${reason}: trying again in ${Math.ceil(pauseMs / 1000)} s` }),
  });
  const source = registrySource(room, repository, reference, signal);
  onProgress({ step: "resolve", message: `asking ${repository.registry}` });
  const name = reference.digest === undefined ? `${reference.name}:${reference.tag ?? "latest"}` : undefined;
  if (name === undefined) {
    return importImage(room, { descriptor: await source.top(), source, references: [] }, options);
  }
  const digest =
    (await findUnchanged(room, name, () => source.current())) ??
    (await importImage(room, { descriptor: await source.top(), source, references: [name] }, options));
  await room.pulled.note([{ reference: room.tenant.keyOf(name), digest, usedAt: room.clock.now() }]);
  return digest;
}

/** The image of a tag that means the same there as here. */
async function findUnchanged(
  room: Room,
  name: string,
  ask: () => Promise<Digest | undefined>,
): Promise<Digest | undefined> {
  const here = (await room.catalogue.references()).find(({ reference }) => reference === name);
  if (here === undefined || here.digest === null || (await ask()) !== here.target) return undefined;
  const row = (await room.catalogue.list()).find(({ digest }) => digest === here.digest);
  return row !== undefined && (await room.roots.size(row.root)) !== undefined ? row.digest : undefined;
}

/** Undefined: it is not here, and may be had elsewhere. */
export async function findHere(
  room: Room,
  text: string,
  { elsewhere }: { readonly elsewhere: boolean },
): Promise<ImageRow | undefined> {
  try {
    return await resolveImage(room, text);
  } catch (error) {
    const isMissing = error instanceof UniError && error.code === "image_not_found";
    if (!isMissing || !elsewhere || isDigest(text)) throw error;
    readReference(text);
    return undefined;
  }
}

/** Digits alone, or a digest, name what is here or nothing. */
function readReference(text: string): ImageReference {
  if (/^sha256:/.test(text)) {
    throw new UniError("image_not_found", `pull ${text}: a digest alone does not say from where`, {
      hint: `Give the image's name with it, such as registry.example.com/team/web@${text}.`,
    });
  }
  return parseReference(text);
}

const notHere = (text: string): UniError =>
  new UniError(
    "image_not_found",
    `find image "${text.slice(0, 300)}": it is not here, and is not to be pulled`,
    {
      hint: "Pull it with uni pull, or with another pull policy than never.",
    },
  );

/** What may be said of an image that is nowhere. */
const elsewhere: ReadonlySet<string> = new Set([
  "image_not_found",
  "registry_denied",
  "registry_failed",
  "timed_out",
  "unreachable",
]);

/** Whoever misspelt the name of an image that is here hears of a registry, or of its silence; and of what is here. */
async function withNearNames(room: Room, text: string, error: unknown): Promise<never> {
  if (!(error instanceof UniError && elsewhere.has(error.code))) throw error;
  const here = (await room.catalogue.references()).map(({ reference }) => reference);
  const near = nearNames(text, here).filter((name) => name !== text);
  if (near.length === 0) throw error;
  const hint = `Here there is ${near.join(", ")}. ${error.hint ?? ""}`.trim();
  throw new UniError(error.code, error.message, { hint, cause: error.cause });
}

/** Only who may see the same shares: that is who says the same to the registry. */
function keyOf({ reference, request }: Wanted): string {
  const { name, tag, digest } = reference;
  const parts = [
    name,
    tag ?? "",
    digest ?? "",
    request.policy,
    request.credentials ?? {},
    request.headers ?? {},
  ];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
