import type { Digest } from "@uni/contract/ids";
import type { ImageDetail } from "@uni/contract/rpc";
import type { ImagesPort } from "../api/images-port.ts";
import type { Pins } from "../images/pins/pins.ts";
import type { Image, Images } from "../images/port.ts";
import type { Vmm } from "../vmm/port.ts";
import { buildRequest } from "./build-request.ts";
import { type ImageListDependencies, listFor, listStore } from "./image-lists.ts";
import { createPinsPort } from "./image-pins.ts";
import { imageUsers, type Users } from "./users.ts";

export interface ImagesPortDependencies extends Users, ImageListDependencies {
  readonly pins: Pins;
}

export function createImagesPort(
  images: Images,
  deps: ImagesPortDependencies,
  trimCache: Vmm["trimCache"],
): ImagesPort {
  const usersOf = (digest: Digest) => imageUsers(deps, digest);
  const detail = (image: Image): ImageDetail => ({ ...toDetail(image), used_by: usersOf(image.digest) });

  return {
    list: async (account, filter) => listFor(await images.list(), { account, filter }, deps),
    store: async (filter) => listStore(await images.list(), filter, deps),
    ...createPinsPort(images, deps.pins),
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
      return freed + (await trimCache({ all: bootCache }));
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
