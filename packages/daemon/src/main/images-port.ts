import type { Digest } from "@uni/contract/ids";
import type { ImageDetail } from "@uni/contract/rpc";
import type { ImagesPort } from "../api/images-port.ts";
import type { Image, Images } from "../images/port.ts";
import type { Vmm } from "../vmm/port.ts";
import { buildRequest } from "./build-request.ts";
import { imageUsers, type Users } from "./users.ts";

export function createImagesPort(images: Images, users: Users, trimCache: Vmm["trimCache"]): ImagesPort {
  const usersOf = (digest: Digest) => imageUsers(users, digest);
  const detail = (image: Image): ImageDetail => ({ ...toDetail(image), used_by: usersOf(image.digest) });

  return {
    async list(_account, filter) {
      const all = await images.list();
      return all
        .filter((image) => filter.digest === undefined || image.digest === filter.digest)
        .filter(
          (image) =>
            filter.tag === undefined || image.references.some((each) => hasTag(each, filter.tag ?? "")),
        )
        .map(toWire);
    },
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
    build: async (upload, params, onProgress, signal) =>
      detail(await images.build(upload, buildRequest(params), { onProgress, signal })),
  };
}

/** A tag is given bare ("latest") or with its name ("hello:latest"). */
const hasTag = (reference: string, tag: string): boolean =>
  reference === tag || reference.endsWith(`:${tag}`);

function toWire(image: Image) {
  const name = image.references[0]?.replace(/:[^:/]+$/, "") ?? "image";
  return {
    url: `${name}@${image.digest}`,
    created_at: image.createdAt.toISOString(),
    initrd_or_rom: image.config.entrypoint.length + image.config.cmd.length === 0,
    size_in_bytes: image.sizeBytes,
    args: [...image.config.entrypoint, ...image.config.cmd],
    env: { ...image.config.env },
    tags: [...image.references],
    digest: image.digest,
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
