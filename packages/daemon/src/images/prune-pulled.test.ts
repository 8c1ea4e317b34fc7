import assert from "node:assert/strict";
import { test } from "node:test";
import { imageArchive, imageBlobs } from "../../../../test/kit/image-archive.ts";
import { withRegistry } from "../../../../test/kit/registry-pulls.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";
import { ManualClock } from "../base/manual-clock.ts";
import type { PrunePulled } from "./port.ts";
import { quietly, storedFiles, stream, type TestStore, withStore } from "./test-room.ts";

const day = 86_400_000;

interface Pulled extends TestStore {
  readonly clock: ManualClock;
  /** Loads an image and says of its name that it was pulled. */
  pull(name: string): Promise<void>;
  load(name: string): Promise<void>;
  readonly prune: (how?: Partial<PrunePulled>) => Promise<readonly string[]>;
}

function withPulled(body: (store: Pulled) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  return withStore(
    async (store) => {
      const { images, options } = store;
      const load = async (name: string): Promise<void> => {
        const layers = [makeTar([{ name, content: name }])];
        await images.load(stream(imageArchive({ layers })), name, quietly());
      };
      await body({
        ...store,
        clock,
        load,
        async pull(name) {
          await load(name);
          const { digest } = await images.resolve(name);
          await options.pulled.note([{ reference: name, digest, usedAt: clock.now() }]);
        },
        prune: (how) =>
          images.prunePulled({
            inUse: () => [],
            unusedForMs: 30 * day,
            isShortOfDisk: async () => true,
            ...how,
          }),
      });
    },
    { clock },
  );
}

test("on a full disk pulled images go that nobody used for long, longest unused first, until there is room", () =>
  withPulled(async ({ pull, prune, clock, images }) => {
    await pull("old:1");
    await clock.advance(day);
    await pull("older:1");
    await clock.advance(day);
    await pull("new:1");
    await clock.advance(29 * day);
    let looks = 0;
    assert.deepEqual(await prune({ isShortOfDisk: async () => looks++ < 1 }), ["old:1"]);
    assert.deepEqual(await prune({ isShortOfDisk: async () => false }), []);
    assert.deepEqual(await prune(), ["older:1"]);
    assert.deepEqual(
      (await images.list()).map(({ references }) => references),
      [["new:1"]],
    );
  }));

test("what was loaded, tagged, moved or is in use stays", () =>
  withPulled(async ({ pull, load, prune, clock, images, options }) => {
    await load("loaded:1");
    await pull("tagged:1");
    await images.tag("tagged:1", "mine:1");
    await pull("moved:1");
    await images.tag("loaded:1", "moved:1");
    await pull("used:1");
    const { digest } = await images.resolve("used:1");
    await clock.advance(60 * day);
    const inUse = (of: string): string[] => (of === digest ? ["web"] : []);
    assert.deepEqual(await prune({ inUse }), []);
    assert.deepEqual((await options.pulled.list()).map(({ reference }) => reference).sort(), [
      "tagged:1",
      "used:1",
    ]);
    // It was in use until now: its time begins anew.
    assert.deepEqual(await prune(), []);
    await clock.advance(31 * day);
    assert.deepEqual(await prune(), ["used:1"]);
  }));

test("what goes leaves nothing behind", () =>
  withPulled(async ({ pull, prune, clock, directory, options }) => {
    await pull("a:1");
    await clock.advance(31 * day);
    await prune();
    await prune();
    assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
    assert.deepEqual(await options.pulled.list(), []);
  }));

test("a pull marks its name, and a pull from the store marks nothing", () =>
  withRegistry(async ({ registry, images, options, pull }) => {
    registry.add(imageBlobs({ layers: [makeTar([{ name: "x" }])] }), "1");
    await images.load(stream(imageArchive({ layers: [makeTar([{ name: "y" }])] })), "local:1", quietly());
    const { digest } = await pull();
    await pull();
    await images.pull("local:1", { policy: "if_not_present" }, quietly());
    const marked = await options.pulled.list();
    assert.deepEqual(
      marked.map((each) => [each.reference, each.digest]),
      [[`${registry.host}/team/web:1`, digest]],
    );
  }));
