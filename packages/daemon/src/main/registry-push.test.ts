/** The distribution specification's category "push", on the real listener. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { sha256 } from "../../../../test/kit/image-archive.ts";
import {
  artifact,
  indexOf,
  indexType,
  manifestType,
  pushArtifact,
  type TestRegistry,
  unknownDigest,
  withRegistry,
} from "../../../../test/kit/registry.ts";

const repository = "conformance/push";
const content = Buffer.from("0123456789");
const digest = sha256(content);

const pulled = async (server: TestRegistry, of: string) =>
  (await server.send("GET", `/v2/${repository}/blobs/${of}`)).bytes;

test("an upload begins with 202, its place, and nothing in it", () =>
  withRegistry(async (server) => {
    const { status, headers } = await server.send("POST", `/v2/${repository}/blobs/uploads/`);
    assert.equal(status, 202);
    assert.match(headers.location ?? "", new RegExp(`^/v2/${repository}/blobs/uploads/[0-9a-f-]{36}$`));
    assert.equal(headers.range, "0-0");
    assert.equal(headers["docker-upload-uuid"], headers.location?.split("/").at(-1));
    assert.equal((await server.send("POST", `/v2/${repository}/blobs/uploads`)).status, 202);
  }));

test("streamed: PATCH without a range is 202, and PUT with the digest 201, with the blob's place", () =>
  withRegistry(async (server) => {
    const path = await server.begin(repository);
    const patched = await server.send("PATCH", path, { body: Readable.from([content]) });
    assert.deepEqual([patched.status, patched.headers.range], [202, "0-9"]);
    const { status, headers } = await server.send("PUT", `${patched.headers.location}?digest=${digest}`);
    assert.deepEqual(
      [status, headers.location, headers["docker-content-digest"]],
      [201, `/v2/${repository}/blobs/${digest}`, digest],
    );
    assert.deepEqual(await pulled(server, digest), content);
  }));

test("monolithic: POST with the digest and the bytes is 201", () =>
  withRegistry(async (server) => {
    const path = `/v2/${repository}/blobs/uploads/?digest=${digest}`;
    const { status, headers } = await server.send("POST", path, { body: content });
    assert.deepEqual([status, headers.location], [201, `/v2/${repository}/blobs/${digest}`]);
    assert.deepEqual(await pulled(server, digest), content);
  }));

test("monolithic: PUT with all the bytes and the digest is 201", () =>
  withRegistry(async (server) => {
    const { status } = await server.send("PUT", `${await server.begin(repository)}?digest=${digest}`, {
      body: content,
    });
    assert.equal(status, 201);
    assert.deepEqual(await pulled(server, digest), content);
  }));

test("chunked: chunks in order are taken, the last one with the PUT", () =>
  withRegistry(async (server) => {
    const path = await server.begin(repository);
    const chunk = (start: number, end: number) => ({
      body: content.subarray(start, end),
      headers: { "content-range": `${start}-${end - 1}`, "content-type": "application/octet-stream" },
    });
    const first = await server.send("PATCH", path, chunk(0, 4));
    assert.deepEqual([first.status, first.headers.range], [202, "0-3"]);
    const second = await server.send("PATCH", first.headers.location ?? "", chunk(4, 7));
    assert.deepEqual([second.status, second.headers.range], [202, "0-6"]);
    assert.equal((await server.send("PUT", `${path}?digest=${digest}`, chunk(7, 10))).status, 201);
    assert.deepEqual(await pulled(server, digest), content);
  }));

test("chunked: one that does not begin where the upload ends is 416, with how far it is", () =>
  withRegistry(async (server) => {
    const path = await server.begin(repository);
    const chunk = (start: number, end: number) =>
      server.send("PATCH", path, {
        body: content.subarray(start, end),
        headers: { "content-range": `${start}-${end - 1}` },
      });
    const early = await chunk(4, 10);
    assert.deepEqual([early.status, early.code, early.headers.range], [416, "BLOB_UPLOAD_INVALID", "0-0"]);
    assert.equal((await chunk(0, 4)).status, 202);
    const again = await chunk(0, 4);
    assert.deepEqual([again.status, again.headers.range, again.headers.location], [416, "0-3", path]);
    assert.equal((await chunk(4, 10)).status, 202);
    const put = await server.send("PUT", `${path}?digest=${digest}`, {
      body: content.subarray(0, 4),
      headers: { "content-range": "0-3" },
    });
    assert.equal(put.status, 416);
    assert.equal((await server.send("PUT", `${path}?digest=${digest}`)).status, 201);
  }));

test("chunked: a range that is none, or not as long as what is sent, is 416", () =>
  withRegistry(async (server) => {
    const path = await server.begin(repository);
    for (const range of ["nonsense", "5-2", "0-99", "-"]) {
      const headers = { "content-range": range };
      assert.equal((await server.send("PATCH", path, { body: content, headers })).status, 416, range);
    }
    assert.equal((await server.send("GET", path)).headers.range, "0-0");
  }));

test("GET of an upload tells how far it is: 204, its place and range", () =>
  withRegistry(async (server) => {
    const path = await server.begin(repository);
    await server.send("PATCH", path, { body: content });
    const { status, headers } = await server.send("GET", path);
    assert.deepEqual([status, headers.location, headers.range], [204, path, "0-9"]);
  }));

test("DELETE of an upload ends it: 204, and 404 from then on", () =>
  withRegistry(async (server) => {
    const path = await server.begin(repository);
    assert.equal((await server.send("DELETE", path)).status, 204);
    for (const method of ["GET", "PATCH", "DELETE"]) {
      const { status, code } = await server.send(method, path, method === "PATCH" ? { body: content } : {});
      assert.deepEqual(
        [status, method === "GET" ? "BLOB_UPLOAD_UNKNOWN" : code],
        [404, "BLOB_UPLOAD_UNKNOWN"],
      );
    }
  }));

test("an upload belongs to its repository", () =>
  withRegistry(async (server) => {
    const id = (await server.begin(repository)).split("/").at(-1);
    for (const path of [`/v2/other/blobs/uploads/${id}`, `/v2/${repository}/blobs/uploads/..%2F${id}`]) {
      assert.equal((await server.send("GET", path)).status, 404, path);
    }
    const { status, code } = await server.send("PATCH", `/v2/other/blobs/uploads/${id}`, { body: content });
    assert.deepEqual([status, code], [404, "BLOB_UPLOAD_UNKNOWN"]);
  }));

test("bytes of another digest are 400, DIGEST_INVALID, and nothing is left of them", () =>
  withRegistry(async (server) => {
    const path = await server.begin(repository);
    const wrong = await server.send("PUT", `${path}?digest=${unknownDigest}`, { body: content });
    assert.deepEqual([wrong.status, wrong.code], [400, "DIGEST_INVALID"]);
    assert.equal((await server.send("GET", path)).status, 404);
    for (const each of [digest, unknownDigest]) {
      assert.equal((await server.send("HEAD", `/v2/${repository}/blobs/${each}`)).status, 404);
    }
    const none = await server.send("PUT", await server.begin(repository), { body: content });
    assert.deepEqual([none.status, none.code], [400, "DIGEST_INVALID"]);
  }));

test("mounting a blob of another repository is 201, and it is there", () =>
  withRegistry(async (server) => {
    await server.blob(repository, content);
    const path = `/v2/other/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(repository)}`;
    const { status, headers } = await server.send("POST", path);
    assert.deepEqual([status, headers.location], [201, `/v2/other/blobs/${digest}`]);
    assert.deepEqual((await server.send("GET", `/v2/other/blobs/${digest}`)).bytes, content);
  }));

test("mounting what is not there, or from nowhere, begins an upload: 202", () =>
  withRegistry(async (server) => {
    await server.blob(repository, content);
    for (const query of [
      `mount=${unknownDigest}&from=${repository}`,
      `mount=${digest}&from=empty`,
      `mount=${digest}`,
    ]) {
      const { status, headers } = await server.send("POST", `/v2/other/blobs/uploads/?${query}`);
      assert.equal(status, 202, query);
      assert.match(headers.location ?? "", /^\/v2\/other\/blobs\/uploads\//);
    }
  }));

test("a manifest is taken under several tags, each with its place", () =>
  withRegistry(async (server) => {
    for (const reference of ["test0", "test1", "test2"]) {
      const { headers, digest: of } = await pushArtifact(server, { repository, reference });
      assert.deepEqual(
        [headers.location, headers["docker-content-digest"]],
        [`/v2/${repository}/manifests/${of}`, of],
      );
    }
  }));

test("a manifest is taken by its digest alone, and refused by another", () =>
  withRegistry(async (server) => {
    const { digest: of, bytes } = { ...(await pushArtifact(server, { repository })), ...artifact() };
    assert.deepEqual((await server.send("GET", `/v2/${repository}/manifests/${of}`)).bytes, bytes);
    const wrong = await server.put(repository, unknownDigest, bytes);
    assert.deepEqual([wrong.status, wrong.code], [400, "DIGEST_INVALID"]);
  }));

test("a manifest without layers is taken", () =>
  withRegistry(async (server) => {
    const { bytes, blobs } = artifact({ layers: [] });
    await server.blob(repository, blobs[0] ?? Buffer.alloc(0));
    assert.equal((await server.put(repository, "empty", bytes)).status, 201);
  }));

test("a manifest whose blobs are not in the repository is 404, MANIFEST_BLOB_UNKNOWN, and says which", () =>
  withRegistry(async (server) => {
    const { bytes, blobs } = artifact();
    for (const blob of blobs) await server.blob("other", blob);
    const { status, code, json } = await server.put(repository, "v1", bytes);
    assert.deepEqual([status, code], [404, "MANIFEST_BLOB_UNKNOWN"]);
    assert.match(json.errors[0].message, new RegExp(sha256(Buffer.from("{}"))));
    assert.equal((await server.send("GET", `/v2/${repository}/manifests/v1`)).status, 404);
  }));

test("an index wants its manifests in the repository, and may have none", () =>
  withRegistry(async (server) => {
    const one = await pushArtifact(server, { repository: "other" });
    const { status, code } = await server.put(repository, "all", indexOf([one]));
    assert.deepEqual([status, code], [404, "MANIFEST_BLOB_UNKNOWN"]);
    assert.equal((await server.put("other", "all", indexOf([one]))).status, 201);
    assert.equal((await server.put(repository, "none", indexOf([]))).status, 201);
  }));

test("a layer that may not be handed on need not be in the repository", () =>
  withRegistry(async (server) => {
    const foreign = {
      mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
      digest: unknownDigest,
      size: 5,
      urls: ["https://registry.example.com/layer"],
    };
    const { bytes, blobs } = artifact({ layers: [foreign] });
    await server.blob(repository, blobs[0] ?? Buffer.alloc(0));
    assert.equal((await server.put(repository, "foreign", bytes)).status, 201);
    assert.equal((await server.send("GET", `/v2/${repository}/blobs/${unknownDigest}`)).status, 404);
  }));

test("the subject of a manifest is told in OCI-Subject, also of one that is not there", () =>
  withRegistry(async (server) => {
    const subject = { mediaType: manifestType, digest: unknownDigest, size: 5 };
    const { headers } = await pushArtifact(server, { repository, more: { subject } });
    assert.equal(headers["oci-subject"], unknownDigest);
    assert.equal((await pushArtifact(server, { repository })).headers["oci-subject"], undefined);
    const index = await server.put(repository, "all", indexOf([], { subject }));
    assert.deepEqual([index.status, index.headers["oci-subject"]], [201, unknownDigest]);
  }));

const big = (count: number) =>
  Array.from({ length: count }, () => ({ mediaType: manifestType, digest: unknownDigest, size: 1 }));
const hostile: Record<string, { document: object | string; type?: string; status?: number }> = {
  "no JSON": { document: "{" },
  "no object": { document: "[]" },
  "a type that nobody knows": {
    document: { ...artifact().manifest, mediaType: "text/html" },
    type: "text/html",
  },
  "another type than it was sent as": { document: artifact().manifest, type: indexType },
  "both forms at once": { document: { ...artifact().manifest, manifests: [] } },
  "an index with layers": { document: { ...indexOf([]), layers: [] }, type: indexType },
  "no config": { document: { schemaVersion: 2, mediaType: manifestType, layers: [] } },
  "a config of another size": {
    document: { ...artifact().manifest, config: { ...artifact().manifest.config, size: 3 } },
  },
  "a layer whose digest is a path": {
    document: { ...artifact().manifest, layers: [{ mediaType: "a", digest: "sha256:../../etc", size: 1 }] },
  },
  "a subject that is none": { document: { ...artifact().manifest, subject: "x" } },
  "nested very deep": { document: `{"mediaType":"${manifestType}","x":${"[".repeat(100_000)}` },
  "more entries than anybody needs": { document: { ...indexOf([]), manifests: big(5_000) }, type: indexType },
  "more bytes than a manifest may have": {
    document: { ...artifact().manifest, x: "x".repeat(5 << 20) },
    status: 413,
  },
  "annotations of a referrer that fill a list": {
    document: {
      ...artifact().manifest,
      subject: { mediaType: manifestType, digest: unknownDigest, size: 5 },
      annotations: { a: "x".repeat(1 << 20) },
    },
  },
};

for (const [what, { document, type = manifestType, status = 400 }] of Object.entries(hostile)) {
  test(`refused: a manifest with ${what}`, () =>
    withRegistry(async (server) => {
      for (const blob of artifact().blobs) await server.blob(repository, blob);
      const bytes = Buffer.from(typeof document === "string" ? document : JSON.stringify(document));
      const headers = { "content-type": type };
      const answer = await server.put(repository, "hostile", bytes, { headers });
      assert.equal(answer.status, status, JSON.stringify(answer.json));
      assert.match(answer.code ?? "", status === 413 ? /SIZE_INVALID/ : /MANIFEST_INVALID/);
      assert.equal((await server.send("GET", `/v2/${repository}/manifests/hostile`)).status, 404);
      assert.deepEqual((await server.send("GET", `/v2/${repository}/tags/list`)).json.tags, []);
    }));
}
