/**
 * Makes images of what was pushed: in the background, one at a time, and at once for who wants to run one; both share the work.
 * What gave no image is written down, so that the next daemon does not try by itself; who wants to run it has it tried again, and is
 * told why.
 */
import { toUniError, UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import { importImage } from "../import-image.ts";
import { storedSource } from "../load-archive.ts";
import type { ImageOptions } from "../port.ts";
import type { Room } from "../room.ts";
import type { ImageSource } from "../sources.ts";

export class Preparation {
  readonly #room: Room;
  readonly #running = new Map<Digest, Promise<Digest>>();
  readonly #waiting = new Set<Digest>();
  readonly #closed = new AbortController();
  #background: Promise<void> | undefined;

  constructor(room: Room) {
    this.#room = room;
  }

  /** The image that the target leads to, made if need be. What failed before is tried again. */
  async now(target: Digest): Promise<Digest> {
    this.#waiting.delete(target);
    return await (this.#running.get(target) ?? this.#start(target));
  }

  later(target: Digest): void {
    if (this.#closed.signal.aborted || this.#running.has(target)) return;
    this.#waiting.add(target);
    this.#background ??= this.#work().finally(() => {
      this.#background = undefined;
    });
  }

  /** What an earlier daemon did not come to. */
  async resume(): Promise<void> {
    for (const target of await this.#room.repositories.waiting()) this.later(target);
  }

  /** Resolves when nothing is under way any more; what waits is left to the next daemon. */
  async close(): Promise<void> {
    this.#closed.abort(new UniError("wrong_state", "make an image of what was pushed: the daemon ends"));
    this.#waiting.clear();
    await Promise.allSettled([this.#background, ...this.#running.values()]);
  }

  async #work(): Promise<void> {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      // It is written down, and told on use.
      await this.now(next).catch(() => {});
    }
  }

  #start(target: Digest): Promise<Digest> {
    const made = this.#make(target).finally(() => this.#running.delete(target));
    this.#running.set(target, made);
    return made;
  }

  async #make(target: Digest): Promise<Digest> {
    const { repositories, blobs, catalogueQueue, leases, log } = this.#room;
    const release = leases.hold([target]);
    const options: ImageOptions = { signal: this.#closed.signal, onProgress: () => {} };
    try {
      const size = (await blobs.read(target)).length;
      const descriptor = { mediaType: "", digest: target, size, platform: undefined, annotations: {} };
      const digest = await importImage(
        this.#room,
        { descriptor, source: pushedSource(this.#room), references: [] },
        options,
      );
      await catalogueQueue.run("catalogue", () => repositories.settle(target, { digest }));
      return digest;
    } catch (thrown) {
      const error = toUniError(thrown, `make an image of ${target}`);
      if (this.#closed.signal.aborted) throw error;
      log.warn({ target, err: error }, "no image could be made of what was pushed");
      await repositories.settle(target, { failure: error.message });
      throw error;
    } finally {
      release();
    }
  }
}

/** Of what the pushed documents name, what was there for who pushed them: another's layer is not theirs for being named. */
function pushedSource(room: Room): ImageSource {
  const named = new Set<Digest>();
  const stored = storedSource(room);
  return {
    isStored: ({ digest }) => named.has(digest),
    async manifest(descriptor) {
      for (const digest of await room.repositories.namesIn(descriptor.digest)) named.add(digest);
      return stored.manifest(descriptor);
    },
    async blob({ digest }) {
      throw new UniError("image_invalid", `read what was pushed: layer ${digest} was not pushed with it`, {
        hint: "Layers that may only be had elsewhere cannot be run.",
      });
    },
  };
}
