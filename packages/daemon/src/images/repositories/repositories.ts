import { createReadStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { type Digest, isDigest } from "@uni/contract/ids";
import type { FreeBytes } from "../disk-space.ts";
import type { Room } from "../room.ts";
import { describeDocument } from "./document.ts";
import type { BlobContent, Repositories, StoredManifest } from "./port.ts";
import type { Preparation } from "./preparation.ts";
import { pushManifest } from "./push-manifest.ts";
import { Uploads } from "./uploads.ts";

export async function openUploads(
  { clock, limits }: Pick<Room, "clock" | "limits">,
  { directory, free }: { readonly directory: string; readonly free: FreeBytes },
): Promise<Uploads> {
  const uploads = new Uploads({ directory: join(directory, "uploads"), clock, free, maxBytes: limits.bytes });
  await uploads.open();
  return uploads;
}

export function repositoriesOf(
  room: Room,
  { uploads, preparation }: { readonly uploads: Uploads; readonly preparation: Preparation },
): Repositories {
  const { repositories, blobs, clock } = room;
  const queued = <T>(task: () => Promise<T>): Promise<T> => room.catalogueQueue.run("catalogue", task);
  const note = (repository: string, digest: Digest) =>
    queued(() => repositories.putBlob(repository, digest, clock.now()));

  return {
    begin: (owner) => uploads.begin(owner),
    uploadSize: (owner, id) => uploads.size(owner, id),
    append: (owner, id, bytes, chunk) => uploads.append(owner, id, bytes, chunk),
    cancel: (owner, id) => uploads.cancel(owner, id),
    expire: () => uploads.expire(),
    async finish(owner, id, digest) {
      const release = room.leases.hold([digest]);
      try {
        await uploads.finish(owner, id, {
          digest,
          async keep(path) {
            // First the row: a daemon that is killed now leaves an upload that can be finished, and no blob that is nobody's.
            await note(owner.repository, digest);
            if (await blobs.has(digest)) return rm(path);
            await using handle = await open(path, "r");
            await blobs.adopt({ path, handle }, digest);
          },
        });
      } finally {
        release();
      }
    },

    async blob(repository, digest) {
      if (!(await repositories.contains(repository, digest, "blob"))) return undefined;
      return await readBlob(room, digest);
    },
    keepBlob: (repository, digest) => note(repository, digest),
    mount: (repository, digest, from) =>
      queued(async () => {
        const isThere = await repositories.contains(from, digest, "blob");
        if (!isThere || !(await blobs.has(digest))) return false;
        await repositories.putBlob(repository, digest, clock.now());
        return true;
      }),
    removeBlob: (repository, digest) =>
      queued(async () => {
        if (!(await repositories.contains(repository, digest, "blob"))) throw notFound("blob", digest);
        await refuseIfNamed(room, repository, digest);
        await repositories.remove(repository, "blob", [digest]);
      }),

    async putManifest(push) {
      const { digest, subject } = await pushManifest(room, push);
      if (!isDigest(push.reference)) preparation.later(digest);
      return { digest, subject };
    },
    manifest: (repository, reference) => readManifest(room, repository, reference),
    removeManifest: (repository, reference) =>
      queued(async () => {
        if (!isDigest(reference)) {
          const name = `${repository}:${reference}`;
          if ((await repositories.reference(name)) === undefined) throw notFound("tag", reference);
          return room.catalogue.removeReference(name);
        }
        if (!(await repositories.contains(repository, reference, "manifest"))) {
          throw notFound("manifest", reference);
        }
        await refuseIfNamed(room, repository, reference);
        await repositories.remove(repository, "manifest", [reference]);
      }),

    async tags(repository) {
      if (!(await repositories.holdsAny(repository))) return undefined;
      return (await repositories.tags(repository)).toSorted(compareTags);
    },
    async referrers(repository, subject, page) {
      const found = await repositories.referrers(repository, { subject, ...page });
      return found.map(({ sizeBytes, ...each }) => ({ ...each, size: sizeBytes }));
    },
    names: () => repositories.names(),
  };
}

async function readBlob({ blobs }: Room, digest: Digest): Promise<BlobContent | undefined> {
  const size = await blobs.size(digest);
  if (size === undefined) return undefined;
  return {
    size,
    async open(start, end) {
      const file = await open(blobs.path(digest), "r");
      // Its last byte is counted in.
      if (start < end)
        return createReadStream("", { fd: file, start, end: end - 1, highWaterMark: 256 << 10 });
      await file.close();
      return createReadStream("/dev/null");
    },
  };
}

async function readManifest(
  room: Room,
  repository: string,
  reference: string,
): Promise<StoredManifest | undefined> {
  const { repositories, blobs } = room;
  const digest = isDigest(reference)
    ? reference
    : (await repositories.reference(`${repository}:${reference}`))?.target;
  if (digest === undefined || !(await repositories.contains(repository, digest, "manifest")))
    return undefined;
  if ((await blobs.size(digest)) === undefined) return undefined;
  const bytes = await blobs.read(digest);
  const known = await repositories.document(digest);
  const mediaType = known?.mediaType ?? describeDocument(bytes, `manifest ${digest}`).mediaType;
  return { digest, mediaType, bytes };
}

/** What a manifest of the repository names is there as long as it is: nothing in a repository is ever incomplete. */
async function refuseIfNamed(room: Room, repository: string, digest: Digest): Promise<void> {
  const by = await room.repositories.namedBy(repository, digest);
  if (by === undefined) return;
  throw new UniError("in_use", `remove ${digest} from "${repository}": manifest ${by} names it`, {
    hint: "Remove that manifest first.",
  });
}

/** The specification's order: whatever their case. */
function compareTags(a: string, b: string): number {
  return compare(a.toLowerCase(), b.toLowerCase()) || compare(a, b);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function notFound(kind: string, which: string): UniError {
  return new UniError("not_found", `find ${kind} ${which}: it is not in this repository`);
}
