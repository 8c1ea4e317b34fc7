/** Nothing that somebody needs is ever swept, and nothing else is left: random histories against a model of what must be there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import type { Digest } from "@uni/contract/ids";
import fc from "fast-check";
import { imageBlobs, type TestImage } from "../../../../../test/kit/image-archive.ts";
import { makeTar } from "../../../../../test/kit/tar-writer.ts";
import { ManualClock } from "../../base/manual-clock.ts";
import { digestOf } from "../digest.ts";
import { storedFiles, type TestStore, withStore } from "../test-room.ts";
import { pushBlob } from "./test-pushes.ts";

const day = 86_400_000;
const repositories = ["a", "a/b"] as const;
const tags = ["1", "2"] as const;

interface Document {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly blobs: readonly Buffer[];
  /** Of documents that must be in the repository first. */
  readonly children: readonly Digest[];
  readonly subject: Digest | undefined;
}

const documents = makeDocuments();
const byDigest = new Map(documents.map((each) => [each.digest, each]));

function makeDocuments(): Document[] {
  const image = (word: string): TestImage => ({
    layers: [makeTar([{ name: "shared", content: "x" }]), makeTar([{ name: word, content: word }])],
    config: { Cmd: [word] },
  });
  const images = ["one", "two"].map((word): Document => {
    const [manifest, ...blobs] = imageBlobs(image(word));
    const { bytes } = manifest;
    return {
      bytes,
      digest: digestOf(bytes),
      blobs: blobs.map((blob) => blob.bytes),
      children: [],
      subject: undefined,
    };
  });
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const listed = ({ digest, bytes }: Document) => ({ mediaType: manifestType, digest, size: bytes.length });
  const artifact = (name: string, subject?: Document): Document => {
    const blobs = [Buffer.from("{}"), Buffer.from(`of ${name}`)];
    const [config, layer] = blobs.map((blob) => ({
      mediaType: "a/b",
      digest: digestOf(blob),
      size: blob.length,
    }));
    const of = subject === undefined ? {} : { subject: listed(subject) };
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: [layer], ...of }),
    );
    return { bytes, digest: digestOf(bytes), blobs, children: [], subject: subject?.digest };
  };
  const [one, two] = images as [Document, Document];
  const index = (members: readonly Document[]): Document => {
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const manifests = members.map((each) => ({
      ...listed(each),
      platform: { os: "linux", architecture: "amd64" },
    }));
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
    return {
      bytes,
      digest: digestOf(bytes),
      blobs: [],
      children: members.map((each) => each.digest),
      subject: undefined,
    };
  };
  const signature = artifact("signature", one);
  return [
    one,
    two,
    artifact("artifact"),
    signature,
    artifact("countersignature", signature),
    index([one]),
    index([two]),
  ];
}

/** What the store should show, kept in the plainest way. */
class Model {
  readonly pushed = new Map<string, number>();
  readonly blobs = new Map<string, number>();
  readonly tags = new Map<string, Digest>();

  visible(repository: string): Set<Digest> {
    const roots = [...this.#pushedTo(repository), ...this.#tagged(repository)];
    return new Set(roots.flatMap((digest) => [digest, ...(byDigest.get(digest)?.children ?? [])]));
  }

  /** Undefined: not for sure, for a blob that is needed by nobody goes with the first sweep after its day. */
  hasBlob(repository: string, digest: Digest, now: number): boolean | undefined {
    const isNamed = [...this.visible(repository)].some((each) =>
      byDigest.get(each)?.blobs.some((blob) => digestOf(blob) === digest),
    );
    const since = this.blobs.get(`${repository} ${digest}`);
    if (isNamed || (since !== undefined && since > now - day)) return true;
    return since === undefined ? false : undefined;
  }

  unneeded(repository: string, now: number): Digest[] {
    const kept = new Set<Digest>();
    const keep = (digest: Digest) => {
      kept.add(digest);
      for (const child of byDigest.get(digest)?.children ?? []) kept.add(child);
    };
    for (const digest of this.#tagged(repository)) keep(digest);
    for (let round = 0; round < documents.length; round++) {
      for (const { digest, subject } of documents) {
        if (subject !== undefined && kept.has(subject) && this.pushed.has(`${repository} ${digest}`))
          keep(digest);
      }
    }
    return this.#pushedTo(repository).filter(
      (digest) => !kept.has(digest) && (this.pushed.get(`${repository} ${digest}`) ?? 0) <= now - day,
    );
  }

  #pushedTo = (repository: string) => [...this.pushed.keys()].flatMap(after(`${repository} `));
  #tagged = (repository: string) =>
    [...this.tags].flatMap(([name, digest]) => (after(`${repository}:`)(name).length > 0 ? [digest] : []));
}

const after =
  (prefix: string) =>
  (text: string): Digest[] =>
    text.startsWith(prefix) ? [text.slice(prefix.length) as Digest] : [];

type Step = (store: TestStore, model: Model, clock: ManualClock) => Promise<void>;
type Named = { readonly repository: string; readonly tag: string; readonly document: Document };

const code = (error: unknown) => (error as UniError).code;
const outcome = (work: Promise<unknown>) => work.then(() => "done", code);

const steps: Record<string, (named: Named) => Step> = {
  "push the blobs":
    ({ repository, document }) =>
    async ({ images }, model, clock) => {
      for (const blob of document.blobs) {
        await pushBlob(images.repositories, repository, blob);
        model.blobs.set(`${repository} ${digestOf(blob)}`, clock.now());
      }
    },
  "push under a tag": (named) => push(named, named.tag),
  "push by digest": (named) => push(named, undefined),
  "put by tag": (named) => put(named, named.tag),
  "put by digest": (named) => put(named, undefined),
  "delete the tag":
    ({ repository, tag }) =>
    async ({ images }, model) => {
      const expected = model.tags.delete(`${repository}:${tag}`) ? "done" : "not_found";
      assert.equal(await outcome(images.repositories.removeManifest(repository, tag)), expected);
    },
  "delete the manifest":
    ({ repository, document }) =>
    async ({ images }, model) => {
      const { digest } = document;
      const visible = model.visible(repository);
      const isNamed = [...visible].some((each) => byDigest.get(each)?.children.includes(digest));
      const expected = !visible.has(digest) ? "not_found" : isNamed ? "in_use" : "done";
      assert.equal(await outcome(images.repositories.removeManifest(repository, digest)), expected);
      if (expected !== "done") return;
      model.pushed.delete(`${repository} ${digest}`);
      for (const each of tags) {
        if (model.tags.get(`${repository}:${each}`) === digest) model.tags.delete(`${repository}:${each}`);
      }
    },
  run:
    ({ repository, tag }) =>
    async ({ images }, model) => {
      const target = model.tags.get(`${repository}:${tag}`);
      const found = await outcome(images.resolve(`${repository}:${tag}`));
      if (target === undefined) assert.equal(found, "image_not_found");
      else assert.equal(found, isImage(target) ? "done" : "image_invalid");
    },
  "tag elsewhere":
    ({ repository, tag }) =>
    async ({ images }, model) => {
      const target = model.tags.get(`${repository}:${tag}`);
      const other = repositories.find((each) => each !== repository);
      const found = await outcome(images.tag(`${repository}:${tag}`, `${other}:${tag}`));
      if (target === undefined || !isImage(target)) assert.notEqual(found, "done");
      else model.tags.set(`${other}:${tag}`, target);
    },
  sweep:
    () =>
    async ({ images }) =>
      void (await images.collect()),
  prune:
    () =>
    async ({ images }, model, clock) => {
      await images.collect({ inUse: () => [], untagged: true });
      for (const repository of repositories) {
        for (const digest of model.unneeded(repository, clock.now()))
          model.pushed.delete(`${repository} ${digest}`);
      }
    },
  wait: () => async (_store, _model, clock) => clock.advance(day * 0.4),
  "wait a day": () => async (_store, _model, clock) => clock.advance(day),
};

function push(named: Named, tag: string | undefined): Step {
  return async (store, model, clock) => {
    for (const child of named.document.children) {
      await push({ ...named, document: byDigest.get(child) as Document }, undefined)(store, model, clock);
    }
    await steps["push the blobs"]?.(named)(store, model, clock);
    await put(named, tag)(store, model, clock);
  };
}

const isImage = (digest: Digest): boolean => {
  const document = byDigest.get(digest);
  return document !== undefined && (document.children.length > 0 || documents.indexOf(document) < 2);
};

const put =
  ({ repository, document }: Named, tag: string | undefined): Step =>
  async ({ images }, model, clock) => {
    const { bytes, digest } = document;
    const visible = model.visible(repository);
    const needs = [
      ...document.children.map((child) => visible.has(child)),
      ...document.blobs.map((blob) => model.hasBlob(repository, digestOf(blob), clock.now())),
    ];
    const reference = tag ?? digest;
    const found = await outcome(
      images.repositories.putManifest({ repository, reference, bytes, mediaType: undefined }),
    );
    if (needs.includes(false)) assert.equal(found, "not_found");
    else if (!needs.includes(undefined)) assert.equal(found, "done");
    if (found !== "done") return;
    model.pushed.set(`${repository} ${digest}`, clock.now());
    if (tag !== undefined) model.tags.set(`${repository}:${tag}`, digest);
  };

async function check({ images }: TestStore, model: Model, clock: ManualClock): Promise<void> {
  for (const repository of repositories) {
    const visible = model.visible(repository);
    for (const { digest, bytes, blobs } of documents) {
      const found = await images.repositories.manifest(repository, digest);
      assert.deepEqual(found?.bytes, visible.has(digest) ? bytes : undefined);
      for (const blob of blobs) {
        const expected = model.hasBlob(repository, digestOf(blob), clock.now());
        if (expected === undefined) continue;
        const stored = await images.repositories.blob(repository, digestOf(blob));
        assert.equal(stored?.size, expected ? blob.length : undefined);
      }
    }
    const expected = tags.filter((tag) => model.tags.has(`${repository}:${tag}`));
    assert.deepEqual((await images.repositories.tags(repository)) ?? [], expected);
  }
}

/** Those that make something to lose, and those that could lose it, come oftener. */
const often = ["push under a tag", "push by digest", "wait a day", "sweep", "sweep"];
const anyStep = fc.record({
  what: fc.constantFrom(...Object.keys(steps), ...often),
  repository: fc.constantFrom(...repositories),
  tag: fc.constantFrom(...tags),
  document: fc.nat(documents.length - 1),
});

test("random pushes, tags, deletions, runs and sweeps: what is needed stays, and in the end nothing is left", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 40 }), async (history) => {
      const clock = new ManualClock();
      await withStore(
        async (store) => {
          const model = new Model();
          for (const { what, repository, tag, document } of history) {
            const named = { repository, tag, document: documents[document] as Document };
            await steps[what]?.(named)(store, model, clock);
            await check(store, model, clock);
          }
          for (const repository of repositories) {
            for (const tag of tags) {
              await store.images.repositories.removeManifest(repository, tag).catch(() => {});
            }
          }
          await store.images.close();
          await clock.advance(day);
          await store.images.collect({ inUse: () => [], untagged: true });
          assert.deepEqual(storedFiles(store.directory), { blobs: [], roots: [], scratch: [] });
          assert.deepEqual(await store.images.repositories.names(), []);
        },
        { clock },
      );
    }),
    { numRuns: 20 },
  );
});

test("an index that nothing but a tag of another repository means stays whole", async () => {
  const clock = new ManualClock();
  await withStore(
    async (store) => {
      const { images } = store;
      const model = new Model();
      const document = documents[5] as Document;
      await push({ repository: "a", tag: "1", document }, "1")(store, model, clock);
      await images.tag("a:1", "a/b:1");
      await images.repositories.removeManifest("a", document.digest);
      for (const child of document.children) await images.repositories.removeManifest("a", child);
      await clock.advance(day);
      await images.collect({ inUse: () => [], untagged: true });
      assert.deepEqual((await images.repositories.manifest("a/b", "1"))?.bytes, document.bytes);
      assert.equal(await images.repositories.manifest("a", document.digest), undefined);
      assert.equal((await images.resolve("a/b:1")).references[0], "a/b:1");
    },
    { clock },
  );
});
