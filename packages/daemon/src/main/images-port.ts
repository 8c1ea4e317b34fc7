import type { AccountId, Digest } from "@uni/contract/ids";
import type { ImageDetail } from "@uni/contract/rpc";
import type { AccountImages, ImagesPort } from "../api/images-port.ts";
import type { Pins } from "../images/pins/pins.ts";
import type { Image, Images } from "../images/port.ts";
import type { AccountRow } from "../store/accounts.ts";
import type { Vmm } from "../vmm/port.ts";
import { buildRequest } from "./build-request.ts";
import { bareTags, listImages, namesAndDigest } from "./image-lists.ts";
import { createPinsPort } from "./image-pins.ts";
import { imageUsers, type Users } from "./users.ts";

export interface ImagesPortDependencies extends Users {
  readonly pins: Pins;
  /** The machine's own first. */
  readonly accounts: readonly AccountRow[];
}

export function createImagesPort(
  images: Images,
  deps: ImagesPortDependencies,
  trimCache: Vmm["trimCache"],
): ImagesPort {
  const [machine] = deps.accounts;
  return {
    of(account) {
      const isMachine = account === machine?.id;
      return ofAccount(images.of(account), deps, { account, isMachine, trimCache });
    },
  };
}

interface Whose {
  readonly account: AccountId;
  /** The machine's own account sees and may do everything. */
  readonly isMachine: boolean;
  readonly trimCache: Vmm["trimCache"];
}

function ofAccount(
  images: Images,
  deps: ImagesPortDependencies,
  { account, isMachine, trimCache }: Whose,
): AccountImages {
  const usersOf = (digest: Digest) => imageUsers(deps, digest, isMachine ? undefined : account);
  const detail = (image: Image): ImageDetail => ({ ...toDetail(image), used_by: usersOf(image.digest) });
  const lists = {
    accountsOf: async (digest: Digest) => (isMachine ? await images.accountsOf(digest) : [account]),
    isPinned: (digest: Digest) => deps.pins.holding(digest, isMachine ? undefined : account).length > 0,
    nameOf: (id: AccountId) => deps.accounts.find((each) => each.id === id)?.name,
  };

  return {
    list: async (filter) => listImages(await images.list(), filter, { ...lists, tagsOf: namesAndDigest }),
    store: async (filter) => listImages(await images.list(), filter, { ...lists, tagsOf: bareTags }),
    ...createPinsPort(images, deps.pins, account),
    details: async () => (await images.list()).map(detail),
    detail: async (reference) => detail(await images.resolve(reference)),
    history: (reference) => images.history(reference),
    async *files({ reference, path }, recursive, signal) {
      await using files = await images.open(reference);
      yield* files.list(path, { recursive, signal });
    },
    async *readFile({ reference, path }, signal) {
      await using files = await images.open(reference);
      yield* files.read(path, signal);
    },
    async *copyOut({ reference, path }, follow, signal) {
      await using files = await images.open(reference);
      yield* files.archive(path, { follow, signal });
    },
    search: (term) => images.search(term),
    push: (params, onProgress, signal) => images.push(params, { onProgress, signal }),
    save: ({ references, format = "oci" }, signal) => images.save(references, format, signal),
    remove: (reference) => images.remove(reference, usersOf),
    tag: (source, reference) => images.tag(source, reference),
    async prune({ buildCache, bootCache }) {
      const freed = await images.collect({ inUse: usersOf, untagged: true, buildCache });
      return isMachine ? freed + (await trimCache({ all: bootCache })) : freed;
    },
    async pull({ reference, policy = "always", credentials }, onProgress, signal) {
      return detail(await images.pull(reference, { policy, credentials }, { onProgress, signal }));
    },
    async load(archive, reference, onProgress, signal) {
      return (await images.load(archive, reference, { onProgress, signal })).map(detail);
    },
    build: async ({ upload, ask }, params, onProgress, signal) =>
      detail(await images.build(upload, buildRequest(params, ask), { onProgress, signal })),
  };
}

function toDetail(image: Image): ImageDetail {
  const { config } = image;
  return {
    digest: image.digest,
    references: image.references,
    created_at: image.createdAt.toISOString(),
    size_bytes: image.sizeBytes,
    architecture: config.architecture,
    config: {
      entrypoint: config.entrypoint,
      cmd: config.cmd,
      env: config.env,
      user: config.user,
      working_directory: config.workingDirectory,
      exposed_ports: config.exposedPorts,
      labels: config.labels,
      stop_signal: config.stopSignal,
    },
  };
}
