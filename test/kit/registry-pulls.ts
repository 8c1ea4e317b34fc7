/** A registry that does what a test tells it to, and a store that pulls from it. */
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../packages/daemon/src/base/log.ts";
import type { ImagesOptions } from "../../packages/daemon/src/images/images.ts";
import type { Image, Images, Progress, PullRequest } from "../../packages/daemon/src/images/port.ts";
import { createRemote, type RemoteOptions } from "../../packages/daemon/src/images/remote/client.ts";
import { quietly, withStore } from "../../packages/daemon/src/images/test-room.ts";
import { HostileRegistry } from "./hostile-registry.ts";
import type { TestImage } from "./image-archive.ts";
import { makeTar } from "./tar-writer.ts";

const hasty = {
  ...systemClock,
  sleep: async (_ms: number, signal?: AbortSignal) => signal?.throwIfAborted(),
};

export interface Surroundings {
  readonly registry: HostileRegistry;
  readonly images: Images;
  readonly directory: string;
  readonly options: ImagesOptions;
  readonly pull: (name?: string, request?: Partial<PullRequest>, progress?: Progress[]) => Promise<Image>;
}

export async function withRegistry(
  body: (surroundings: Surroundings) => Promise<void>,
  overrides: Partial<ImagesOptions> & { readonly remoteOptions?: Partial<RemoteOptions> } = {},
): Promise<void> {
  const registry = await HostileRegistry.start();
  const remote = createRemote({ clock: hasty, log: silentLog, ...overrides.remoteOptions });
  try {
    await withStore(
      async ({ images, directory, options }) => {
        const pull: Surroundings["pull"] = (name = "web:1", request = {}, progress) =>
          images.pull(`${registry.host}/team/${name}`, { policy: "always", ...request }, quietly(progress));
        await body({ registry, images, directory, options, pull });
      },
      { clock: hasty, remote, ...overrides },
    );
  } finally {
    remote.close();
    await registry.stop();
  }
}

export const file = (name: string, content: string | Buffer) => makeTar([{ name, content }]);
export const image: TestImage = { layers: [file("a", "lower"), file("b", "upper")], compress: "gzip" };
export const partials = (directory: string) => readdirSync(join(directory, "partial"));
export const nothing = { blobs: [], roots: [], scratch: [] };

/** With two layers of random bytes, large enough to be cut. */
export const largeImage = (): TestImage => ({
  layers: [file("a", randomBytes(300_000)), file("b", randomBytes(200_000))],
});
