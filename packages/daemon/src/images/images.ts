/** The images room: a content-addressed store of blobs and roots, a catalogue of names, and the ways in. */
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { type AccountId, asAccountId, type Digest } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import { withDeadline } from "../base/deadline.ts";
import { KeyedQueue } from "../base/keyed-queue.ts";
import type { Log } from "../base/log.ts";
import { ensureDirectory } from "../host/files.ts";
import { everybody } from "../store/blob-holders.ts";
import type { ImageRow } from "../store/images.ts";
import type { Supply } from "./base-images.ts";
import { BlobStore } from "./blob-store.ts";
import { buildImage } from "./build-image.ts";
import { createBuildahBuilder } from "./buildah.ts";
import type { Builder } from "./builder.ts";
import type { Catalogue, RepositoryCatalogue } from "./catalogue.ts";
import { type FreeBytes, freeBytesOf } from "./disk-space.ts";
import { createDockerBuilder } from "./docker-builder.ts";
import { imageHistory } from "./history.ts";
import { openImage } from "./inside/open-image.ts";
import { Leases } from "./leases.ts";
import { defaultLimits, type ImageLimits } from "./limits.ts";
import { loadArchive } from "./load-archive.ts";
import { withoutOwnHost } from "./own-host.ts";
import { PartialBlobs } from "./partial-blobs.ts";
import { hostArchitecture } from "./platform.ts";
import type { Image, ImageConfig, Images } from "./port.ts";
import { type PulledReferences, prunePulled } from "./prune-pulled.ts";
import { createPull, findHere, pullTurns } from "./pull/pull-image.ts";
import type { PullTurns } from "./pull/pull-turns.ts";
import { pushImage } from "./push/push-image.ts";
import { canonicalReference } from "./reference.ts";
import type { Remote } from "./remote/client.ts";
import { pruneOwn, removeImage } from "./remove-image.ts";
import type { Repositories } from "./repositories/port.ts";
import { Preparation } from "./repositories/preparation.ts";
import { openUploads, repositoriesOf } from "./repositories/repositories.ts";
import type { Uploads } from "./repositories/uploads.ts";
import { findImage, resolveImage, targetOfImage } from "./resolve-image.ts";
import type { Room } from "./room.ts";
import { Roots } from "./roots.ts";
import { saveImages } from "./save/save-images.ts";
import { Scratch } from "./scratch.ts";
import { searchRepositories } from "./search.ts";
import { sweep } from "./sweep.ts";
import type { Accounts } from "./tenancy/names.ts";
import type { Holders, Tenant } from "./tenancy/tenant.ts";
import { viewOf } from "./tenancy/view.ts";
import { imagesUsage } from "./usage.ts";

export const pullTimeoutMs = 60_000;

export interface ImagesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly directory: string;
  readonly catalogue: Catalogue;
  readonly repositories: RepositoryCatalogue;
  readonly holders: Holders;
  /** The machine's own first; standard: it alone. */
  readonly accounts?: Accounts;
  /** An instance, what is kept to make instances of, or a pin needs the image: of the account, or of any. */
  readonly isUsed?: (digest: Digest, account?: AccountId) => boolean;
  /** Addresses of this machine's own registry: names there are names here. */
  readonly ownHosts?: () => readonly string[];
  readonly pulled: PulledReferences;
  /** Its caller closes it. */
  readonly remote: Remote;
  /** How long an instance waits for its image. */
  readonly pullTimeoutMs?: number;
  /** Of this machine, unless a test says otherwise. */
  readonly architecture?: string;
  readonly limits?: Partial<ImageLimits>;
  readonly freeBytes?: FreeBytes;
  /** In order of preference; the first that is available builds. */
  readonly builders?: readonly Builder[];
}

export interface OpenImages extends Images {
  of(account: AccountId): AccountImages;
  readonly repositories: Repositories;
  /** Makes images of what was pushed and an earlier daemon did not come to. */
  resume(): Promise<void>;
  /** Resolves when nothing works in the background any more. */
  close(): Promise<void>;
}

export interface AccountImages extends Images {
  readonly repositories: Repositories;
}

const lone: Accounts = [{ id: asAccountId("00000000-0000-4000-8000-000000000000"), name: "admin" }];

type Options = ImagesOptions & Required<Pick<ImagesOptions, "accounts" | "isUsed">>;

export async function createImages(given: ImagesOptions): Promise<OpenImages> {
  const options: Options = { accounts: lone, isUsed: () => false, ...given };
  const { accounts, holders, isUsed } = options;
  const whole: Room = await openRoom(options, (target) => preparation.now(target));
  const preparation = new Preparation(whole);
  const uploads = await openUploads(whole, {
    directory: options.directory,
    free: options.freeBytes ?? freeBytesOf,
  });
  const turns = pullTurns();
  const buildersOf = new Map(
    accounts.map(({ id }, index) => [
      id,
      options.builders ?? buildersFor(options.directory, index === 0, id),
    ]),
  );
  const views = new Map<AccountId, AccountImages>();
  const open = (account: AccountId): AccountImages => {
    const room = viewOf(whole, account, { accounts, holders, isUsed });
    const repositories = repositoriesOf(room, { uploads, preparation });
    return { of, repositories, ...imagesOf(room, { whole, options, uploads, turns, buildersOf }) };
  };
  const of = (account: AccountId): AccountImages => {
    const images = views.get(account) ?? open(account);
    views.set(account, images);
    return images;
  };
  return { ...of(accounts[0].id), of, resume: () => preparation.resume(), close: () => preparation.close() };
}

interface Surroundings {
  /** The room of all accounts. */
  readonly whole: Room;
  readonly options: Options;
  readonly uploads: Uploads;
  readonly turns: PullTurns;
  readonly buildersOf: ReadonlyMap<AccountId, readonly Builder[]>;
}

/** What the account of the room may do. */
function imagesOf(
  room: Room,
  { whole, options, uploads, turns, buildersOf }: Surroundings,
): Omit<Images, "of"> {
  const builders = buildersOf.get(room.tenant.account) ?? [];
  const ownHosts = options.ownHosts ?? (() => []);
  const local = (reference: string) => withoutOwnHost(reference, ownHosts());
  const isOwn = (reference: string) => local(reference) !== reference;
  const canonical = (reference: string) => canonicalReference(local(reference));
  const pull = createPull(room, options.remote, turns);
  const supply: Supply = {
    stored: (reference) => storedDigest(room, local(reference)),
    // What is in this machine's own registry is here.
    fetch: async (reference, how) =>
      local(reference) === reference
        ? pull(reference, { policy: "if_not_present" }, how)
        : (await resolveImage(room, local(reference))).digest,
  };
  const byDigest = async (digest: Digest): Promise<Image> =>
    toImage(room, findImage(await room.catalogue.list(), digest));
  /** Returns what the name means from then on. */
  async function name(source: string, reference: string): Promise<Digest> {
    const canonicalName = canonical(reference);
    const { digest } = await resolveImage(room, local(source));
    return room.catalogueQueue.run("catalogue", async () => {
      const row = findImage(await room.catalogue.list(), digest);
      const target = await targetOfImage(room, local(source), digest);
      await room.catalogue.put(row, [canonicalName], target === digest ? [] : [target]);
      await room.tenant.share(canonicalName, target);
      return target;
    });
  }

  return {
    resolve: async (reference) => toImage(room, await resolveImage(room, local(reference))),
    find: async (reference) => {
      const row = await findHere(room, local(reference), { elsewhere: !isOwn(reference) });
      return row === undefined ? undefined : toImage(room, row);
    },
    async pull(reference, request, how) {
      // What is in this machine's own registry is here.
      if (isOwn(reference)) return toImage(room, await resolveImage(room, local(reference)));
      if (request.forInstance !== true) return byDigest(await pull(reference, request, how));
      const attempted = `pull ${reference} for an instance`;
      const bounds = {
        clock: room.clock,
        ms: options.pullTimeoutMs ?? pullTimeoutMs,
        attempted,
        signal: how.signal,
      };
      return byDigest(await withDeadline(bounds, (signal) => pull(reference, request, { ...how, signal })));
    },
    async accountsOf(digest) {
      const { accounts, holders } = options;
      const having = await holders.of(digest);
      const all = accounts.map(({ id }) => id);
      return having.includes(everybody) ? all : all.filter((id, index) => index === 0 || having.includes(id));
    },
    list: async () => (await room.catalogue.list()).map((row) => toImage(room, row)),
    history: (reference) => imageHistory(room, local(reference)),
    save: (references, format, signal) =>
      saveImages(room, { references: references.map(local), format, signal }),
    open: (reference) => openImage(room, local(reference)),
    remove: (reference, inUse) => removeImage(room, local(reference), inUse),
    search: (term) => searchRepositories(room, term),
    usage: (inUse) => imagesUsage(whole, inUse),
    async push(request, how) {
      const { reference, destination = reference } = request;
      // What is here is in this machine's own registry: it is only to have the name.
      if (isOwn(destination)) return { reference: destination, digest: await name(reference, destination) };
      return pushImage(room, options.remote, { ...request, reference: local(reference) }, how);
    },
    prunePulled: (how) => prunePulled(whole, how),
    async tag(source, reference) {
      await name(source, reference);
    },
    async load(archive, reference, how) {
      const name = reference === undefined ? undefined : canonical(reference);
      return Promise.all((await loadArchive(room, archive, name, how)).map(byDigest));
    },
    async build(upload, request, how) {
      const reference = canonical(request.reference);
      return byDigest(
        await buildImage(room, builders, { upload, request: { ...request, reference }, supply }, how),
      );
    },
    async collect({ inUse, untagged = false, buildCache = false } = {}) {
      if (!room.tenant.isMachine) return pruneOwn(room, inUse ?? (() => []));
      const freed = await sweep(whole, { inUse, untagged });
      await uploads.expire();
      for (const builder of new Set([...buildersOf.values()].flat()))
        await builder.prune({ cache: buildCache });
      return freed;
    },
  };
}

/** Another account's builds see neither what the machine's have kept nor what else is on the machine. */
function buildersFor(directory: string, isMachine: boolean, account: AccountId): readonly Builder[] {
  if (isMachine) {
    return [createBuildahBuilder({ directory: join(directory, "build") }), createDockerBuilder()];
  }
  const own = join(directory, "builds", account);
  return [createBuildahBuilder({ directory: own, machineStorage: join(own, "none") })];
}

async function storedDigest(room: Room, reference: string): Promise<Digest | undefined> {
  try {
    return (await resolveImage(room, reference)).digest;
  } catch (error) {
    if (error instanceof UniError && error.code === "image_not_found") return undefined;
    throw error;
  }
}

async function openRoom(options: Options, prepared: Room["prepared"]): Promise<Room> {
  const { directory, clock, log, catalogue, repositories, pulled } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const free = options.freeBytes ?? freeBytesOf;
  const scratch = new Scratch(join(directory, "tmp"));
  const partials = new PartialBlobs(join(directory, "partial"));
  const blobs = new BlobStore(join(directory, "blobs", "sha256"), scratch, free);
  const roots = new Roots(join(directory, "roots"), { scratch, free, limits });
  // VMM processes, which run as users of their own, reach the roots through it.
  await ensureDirectory(directory, 0o755);
  await scratch.open();
  await blobs.open();
  await partials.open();
  await roots.open();
  return {
    clock,
    log,
    catalogue,
    repositories,
    all: { catalogue, repositories },
    tenant: everyone(blobs, options),
    pulled,
    blobs,
    partials,
    roots,
    scratch,
    limits,
    leases: new Leases(),
    prepared,
    architecture: options.architecture ?? hostArchitecture(),
    catalogueQueue: new KeyedQueue(),
  };
}

/** For what looks after the store of all. */
function everyone(blobs: BlobStore, { accounts }: Options): Tenant {
  const has = (digest: Digest): Promise<boolean> => blobs.has(digest);
  return {
    account: accounts[0].id,
    isMachine: true,
    keyOf: (name) => name,
    has,
    sees: has,
    keep: async () => {},
    share: async () => {},
    holds: async () => true,
    giveUp: async () => {},
    unshare: async () => {},
    isLeft: async () => false,
  };
}

function toImage(room: Room, row: ImageRow): Image {
  return {
    digest: row.digest,
    references: row.references,
    createdAt: new Date(row.createdAt),
    sizeBytes: row.sizeBytes,
    rootPath: room.roots.path(row.root),
    config: readConfig(row),
    missing: row.missing,
  };
}

function readConfig(row: ImageRow): ImageConfig {
  try {
    return JSON.parse(row.config) as ImageConfig;
  } catch (error) {
    throw new UniError("internal", `read the config of image ${row.digest}`, { cause: error });
  }
}
