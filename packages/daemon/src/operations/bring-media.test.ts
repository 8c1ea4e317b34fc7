import assert from "node:assert/strict";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import type { Images, PullRequest } from "../images/port.ts";
import { recordOf } from "../instances/test-records.ts";
import { bringMedia, findImage, splitRoms } from "./bring-media.ts";
import { createFakeImages, fakeImage } from "./fake-host.ts";

const { signal } = new AbortController();

/** Has hello; everything else is elsewhere, but for what is nowhere. */
function store(
  labels: Readonly<Record<string, string>> = {},
): Images & { readonly pulls: [string, PullRequest][] } {
  const pulls: [string, PullRequest][] = [];
  return {
    ...createFakeImages(),
    pulls,
    async pull(reference, request) {
      pulls.push([reference, request]);
      if (reference === "nowhere")
        throw new UniError("image_not_found", "pull nowhere: no", { hint: "Try." });
      return { ...fakeImage, config: { ...fakeImage.config, labels } };
    },
  };
}

test("what is here is not pulled, unless it always is to be", async () => {
  const images = store();
  assert.equal((await findImage(images, "hello")).image?.digest, fakeImage.digest);
  assert.equal((await findImage(images, { url: "hello", pull_policy: "always" })).image, undefined);
  assert.equal((await findImage(images, "elsewhere")).image, undefined);
  await assert.rejects(findImage(images, { url: "elsewhere", pull_policy: "never" }), {
    code: "image_not_found",
  });
  assert.deepEqual(images.pulls, []);
});

test("image and ROMs come as the request says; afterwards nothing is missing and no secret is left", async () => {
  const prefix = "cloud.unikraft.v1.instances/scale_to_zero.";
  const images = store({ [`${prefix}policy`]: "idle" });
  const given = {
    url: "elsewhere",
    credentials: "me:se:cret",
    headers: { "X-Team": "blue" },
    pull_policy: "always",
    merge_requests: false,
  } as const;
  const { pull, reference } = await findImage(images, given);
  const { here, missing } = await splitRoms(images, [
    { name: "a", image: "hello" },
    {
      name: "b",
      image: { url: "far/rom", credentials: Buffer.from("you:pw").toString("base64") },
      at: "/rom",
    },
  ]);
  assert.deepEqual(
    here.map(({ name }) => name),
    ["a"],
  );
  const media = { image: { pull, byLabels: true }, roms: missing };
  const record = recordOf(1, { spec: { imageReference: reference, imageDigest: null, media } });
  const spec = await bringMedia(images, record, signal);
  const pulled = { headers: {}, mergeRequests: true, forInstance: true };
  assert.deepEqual(images.pulls, [
    [
      "elsewhere",
      {
        ...pulled,
        policy: "always",
        credentials: { username: "me", password: "se:cret" },
        headers: { "X-Team": "blue" },
        mergeRequests: false,
      },
    ],
    ["far/rom", { ...pulled, policy: "if_not_present", credentials: { username: "you", password: "pw" } }],
  ]);
  assert.equal(spec.imageDigest, fakeImage.digest);
  assert.equal(spec.media, null);
  assert.equal(spec.scaleToZero?.policy, "idle");
  assert.deepEqual(spec.roms, [
    { name: "b", at: "/rom", content: `image:${fakeImage.digest}`, source: { image: "far/rom" } },
  ]);
  assert.ok(!JSON.stringify(spec).includes("cret"));
});

test("a ROM that cannot be had is named, with what to do", async () => {
  const images = store();
  const { missing } = await splitRoms(images, [{ name: "data", image: "nowhere" }]);
  const record = recordOf(1, { spec: { media: { image: null, roms: missing } } });
  await assert.rejects(bringMedia(images, record, signal), {
    code: "image_not_found",
    message: /bring ROM 'data'/,
    hint: "Try.",
  });
});
