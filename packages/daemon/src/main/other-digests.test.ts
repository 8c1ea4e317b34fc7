/** Digests of another algorithm than sha256: refused at every door, with one reason. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { test } from "node:test";
import { HostileRegistry } from "../../../../test/kit/hostile-registry.ts";
import { type Blob, describe, imageBlobs, indexBlob } from "../../../../test/kit/image-archive.ts";
import { artifact, indexOf, manifestType, withRegistry } from "../../../../test/kit/registry.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";
import { quietly } from "../images/test-room.ts";

const reason = /digests other than sha256 are not supported/;
const repository = "team/other";
const content = Buffer.from("0123456789");
const sha512 = (bytes: Uint8Array): string => `sha512:${createHash("sha512").update(bytes).digest("hex")}`;
const digest = sha512(content);
const other = { mediaType: manifestType, digest, size: content.length };

for (const [method, path] of [
  ["GET", `blobs/${digest}`],
  ["HEAD", `blobs/${digest}`],
  ["DELETE", `blobs/${digest}`],
  ["POST", `blobs/uploads/?digest=${digest}`],
  ["POST", `blobs/uploads/?mount=${digest}&from=team/web`],
  ["PUT", `blobs/uploads/UPLOAD?digest=${digest}`],
  ["GET", `manifests/${digest}`],
  ["PUT", `manifests/${digest}`],
  ["GET", `referrers/${digest}`],
] as const) {
  test(`the registry refuses ${method} ${path.replace(digest, "sha512:…")}`, () =>
    withRegistry(async (server) => {
      const id = (await server.begin(repository)).split("/").at(-1) ?? "";
      const body = method === "POST" || method === "PUT" ? content : undefined;
      const answer = await server.send(method, `/v2/${repository}/${path.replace("UPLOAD", id)}`, {
        ...(body && { body }),
      });
      assert.equal(answer.status, 400);
      if (method === "HEAD") return;
      assert.equal(answer.code, "DIGEST_INVALID");
      assert.match(answer.json.errors[0].message, reason);
    }));
}

const { manifest } = artifact();
for (const [what, document] of Object.entries({
  config: { ...manifest, config: other },
  layer: { ...manifest, layers: [other] },
  subject: { ...manifest, subject: other },
  "manifest of an index": indexOf([other]),
})) {
  test(`the registry refuses a manifest with a ${what} of sha512`, () =>
    withRegistry(async (server) => {
      const answer = await server.put(repository, "1", document);
      assert.deepEqual([answer.status, answer.code], [400, "MANIFEST_INVALID"]);
      assert.match(answer.json.errors[0].message, reason);
    }));
}

const image = { layers: [makeTar([{ name: "a" }])] };
const asDocument = (like: Blob, document: object): Blob => {
  const bytes = Buffer.from(JSON.stringify(document));
  const hex = createHash("sha256").update(bytes).digest("hex");
  return { ...like, bytes, size: bytes.length, digest: `sha256:${hex}` };
};

test("a pull refuses what an image or an index has of sha512, and a name with such a digest", async () => {
  const origin = await HostileRegistry.start();
  try {
    await withRegistry(async ({ images }) => {
      const blobs = imageBlobs(image);
      const [good] = blobs;
      const parsed = JSON.parse(good.bytes.toString());
      const pull = (name: string) =>
        images.pull(`${origin.host}/team/web${name}`, { policy: "always" }, quietly());
      const layers = parsed.layers.map((each: object) => ({ ...each, digest }));
      origin.add(blobs);
      origin.add([asDocument(good, { ...parsed, layers })], "layer");
      origin.add([asDocument(good, { ...parsed, config: { ...parsed.config, digest } })], "config");
      origin.add([indexBlob([{ ...describe(good), digest }])], "index");
      const badIds = imageBlobs({ ...image, diffIds: [digest] });
      origin.add(badIds, "diff-id");
      for (const tag of ["layer", "config", "index", "diff-id"]) {
        await assert.rejects(pull(`:${tag}`), { code: "image_invalid", message: reason }, tag);
      }
      await assert.rejects(pull(`@${digest}`), { code: "invalid_value", message: reason });
      await assert.rejects(images.resolve(digest), { code: "invalid_value", message: reason });
      // What a registry calls it by the way is its own business.
      origin.intercepts.push((_seen, response) => {
        response.setHeader("docker-content-digest", digest);
        return false;
      });
      origin.add(blobs, "good");
      assert.equal((await pull(":good")).digest, good.digest);
    });
  } finally {
    await origin.stop();
  }
});

test("a layout with blobs of sha512 is refused", () =>
  withRegistry(async ({ images }) => {
    const index = { schemaVersion: 2, manifests: [other] };
    const layout = makeTar([
      { name: "oci-layout", content: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
      { name: "index.json", content: JSON.stringify(index) },
      { name: `blobs/sha512/${digest.slice(7)}`, content },
    ]);
    const load = images.load(Readable.from([layout]), "web", quietly());
    await assert.rejects(load, { code: "image_invalid", message: reason });
  }));
