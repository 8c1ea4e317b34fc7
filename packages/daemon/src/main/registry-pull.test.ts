/** The distribution specification's category "pull", on the real listener. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HostileRegistry } from "../../../../test/kit/hostile-registry.ts";
import { describe, imageBlobs, indexBlob, sha256 } from "../../../../test/kit/image-archive.ts";
import {
  artifact,
  indexOf,
  indexType,
  manifestType,
  pushArtifact,
  unknownDigest,
  withRegistry,
} from "../../../../test/kit/registry.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";

const repository = "conformance/pull";
const content = Buffer.from("0123456789");

test("HEAD and GET of a blob that is not there are 404, and the body says BLOB_UNKNOWN", () =>
  withRegistry(async (server) => {
    const path = `/v2/${repository}/blobs/${unknownDigest}`;
    assert.equal((await server.send("HEAD", path)).status, 404);
    const { status, code, json } = await server.send("GET", path);
    assert.deepEqual([status, code], [404, "BLOB_UNKNOWN"]);
    assert.equal(typeof json.errors[0].message, "string");
  }));

test("HEAD of a blob is 200, with its length and digest and no body", () =>
  withRegistry(async (server) => {
    const digest = await server.blob(repository, content);
    const { status, headers, bytes } = await server.send("HEAD", `/v2/${repository}/blobs/${digest}`);
    assert.deepEqual(
      [status, headers["content-length"], headers["docker-content-digest"], bytes.length],
      [200, "10", digest, 0],
    );
  }));

test("GET of a blob is 200, with its bytes, digest and entity tag", () =>
  withRegistry(async (server) => {
    const digest = await server.blob(repository, content);
    const { status, headers, bytes } = await server.send("GET", `/v2/${repository}/blobs/${digest}`);
    assert.deepEqual([status, bytes.toString()], [200, "0123456789"]);
    assert.deepEqual([headers["docker-content-digest"], headers.etag], [digest, `"${digest}"`]);
    assert.deepEqual([headers["content-length"], headers["accept-ranges"]], ["10", "bytes"]);
  }));

test("a blob without bytes can be pushed and pulled", () =>
  withRegistry(async (server) => {
    const digest = await server.blob(repository, Buffer.alloc(0));
    const { status, bytes } = await server.send("GET", `/v2/${repository}/blobs/${digest}`);
    assert.deepEqual([status, bytes.length], [200, 0]);
  }));

for (const [range, start, end] of [
  ["bytes=2-4", 2, 5],
  ["bytes=7-", 7, 10],
  ["bytes=-3", 7, 10],
  ["bytes=0-0", 0, 1],
  ["bytes=8-99", 8, 10],
] as const) {
  test(`a blob in part: ${range}`, () =>
    withRegistry(async (server) => {
      const digest = await server.blob(repository, content);
      const headers = { range };
      const answer = await server.send("GET", `/v2/${repository}/blobs/${digest}`, { headers });
      assert.equal(answer.status, 206);
      assert.deepEqual(answer.bytes, content.subarray(start, end));
      assert.equal(answer.headers["content-range"], `bytes ${start}-${end - 1}/10`);
    }));
}

test("a range that begins behind a blob's end is 416, with its size; ranges that are none are left out of account", () =>
  withRegistry(async (server) => {
    const path = `/v2/${repository}/blobs/${await server.blob(repository, content)}`;
    const beyond = await server.send("GET", path, { headers: { range: "bytes=10-" } });
    assert.deepEqual([beyond.status, beyond.headers["content-range"]], [416, "bytes */10"]);
    for (const range of ["bytes=4-2", "bytes=0-1,3-4", "lines=1-2", "bytes=-"]) {
      assert.equal((await server.send("GET", path, { headers: { range } })).status, 200, range);
    }
    const changed = { range: "bytes=2-4", "if-range": '"something else"' };
    assert.equal((await server.send("GET", path, { headers: changed })).status, 200);
  }));

test("who has a blob or a manifest already is told so: 304 for If-None-Match", () =>
  withRegistry(async (server) => {
    const { digest } = await pushArtifact(server, { repository, reference: "v1" });
    const headers = { "if-none-match": `"x", "${digest}"` };
    for (const reference of ["v1", digest]) {
      const { status, bytes } = await server.send("GET", `/v2/${repository}/manifests/${reference}`, {
        headers,
      });
      assert.deepEqual([status, bytes.length], [304, 0]);
    }
    const blob = sha256(Buffer.from("{}"));
    const match = { "if-none-match": `"${blob}"` };
    assert.equal(
      (await server.send("GET", `/v2/${repository}/blobs/${blob}`, { headers: match })).status,
      304,
    );
  }));

test("HEAD and GET of a manifest that is not there are 404, by tag and by digest", () =>
  withRegistry(async (server) => {
    for (const reference of ["nothing", unknownDigest]) {
      const path = `/v2/${repository}/manifests/${reference}`;
      assert.equal((await server.send("HEAD", path)).status, 404);
      const { status, code } = await server.send("GET", path);
      assert.deepEqual([status, code], [404, "MANIFEST_UNKNOWN"]);
    }
  }));

for (const by of ["tag", "digest"]) {
  test(`HEAD of a manifest by ${by} is 200, with its length, type and digest`, () =>
    withRegistry(async (server) => {
      const { digest, size } = await pushArtifact(server, { repository, reference: "v1" });
      const path = `/v2/${repository}/manifests/${by === "tag" ? "v1" : digest}`;
      const { status, headers, bytes } = await server.send("HEAD", path, {
        headers: { accept: manifestType },
      });
      assert.deepEqual([status, headers["content-type"], bytes.length], [200, manifestType, 0]);
      assert.deepEqual([headers["content-length"], headers["docker-content-digest"]], [String(size), digest]);
    }));

  test(`GET of a manifest by ${by} is byte for byte what was pushed`, () =>
    withRegistry(async (server) => {
      const { digest } = await pushArtifact(server, { repository, reference: "v1" });
      const path = `/v2/${repository}/manifests/${by === "tag" ? "v1" : digest}`;
      const { status, headers, bytes } = await server.send("GET", path);
      assert.equal(status, 200);
      assert.deepEqual(bytes, artifact().bytes);
      assert.deepEqual([headers["content-type"], headers["docker-content-digest"]], [manifestType, digest]);
    }));
}

test("an index is pulled as an index, with its type", () =>
  withRegistry(async (server) => {
    const one = await pushArtifact(server, { repository });
    const index = indexOf([one]);
    assert.equal((await server.put(repository, "all", index)).status, 201);
    const { headers, json } = await server.send("GET", `/v2/${repository}/manifests/all`);
    assert.equal(headers["content-type"], indexType);
    assert.deepEqual(json, index);
  }));

test("indexes in an index that was pulled here are pulled from here", async () => {
  const origin = await HostileRegistry.start();
  try {
    await withRegistry(async (server) => {
      const [manifest, ...blobs] = imageBlobs({ layers: [makeTar([{ name: "a" }])] });
      const inner = indexBlob([{ ...describe(manifest), platform: { os: "linux", architecture: "amd64" } }]);
      const outer = indexBlob([describe(inner)]);
      origin.add([manifest, ...blobs]);
      origin.add([inner]);
      origin.add([outer], "1");
      const name = `${origin.host}/team/web`;
      const options = { signal: new AbortController().signal, onProgress: () => {} };
      await server.images.pull(`${name}:1`, { policy: "always" }, options);
      await server.images.tag(`${name}:1`, `${repository}:nested`);
      await server.images.collect();
      for (const { digest, bytes } of [outer, inner, manifest]) {
        const answer = await server.send("GET", `/v2/${repository}/manifests/${digest}`);
        assert.deepEqual([answer.status, answer.bytes], [200, bytes]);
      }
    });
  } finally {
    await origin.stop();
  }
});

test("a layer is no manifest, whatever its bytes look like", () =>
  withRegistry(async (server) => {
    const { bytes } = artifact();
    const digest = await server.blob(repository, bytes);
    assert.equal((await server.send("GET", `/v2/${repository}/manifests/${digest}`)).status, 404);
    assert.equal((await server.send("GET", `/v2/${repository}/blobs/${digest}`)).status, 200);
  }));

test("what is in one repository is not in another, though somebody knows its digest", () =>
  withRegistry(async (server) => {
    const { digest } = await pushArtifact(server, { repository, reference: "v1" });
    const blob = sha256(Buffer.from("{}"));
    assert.equal((await server.send("GET", `/v2/other/manifests/${digest}`)).status, 404);
    assert.equal((await server.send("GET", `/v2/other/blobs/${blob}`)).status, 404);
    assert.equal((await server.send("GET", `/v2/${repository}/blobs/${blob}`)).status, 200);
  }));

test("errors have the specification's form: a digest that is none is 400, DIGEST_INVALID", () =>
  withRegistry(async (server) => {
    for (const path of ["manifests/sha256:totallywrong", "blobs/sha256:totallywrong", "blobs/nothing"]) {
      const { status, headers, json, code } = await server.send("GET", `/v2/${repository}/${path}`);
      assert.deepEqual([status, code], [400, "DIGEST_INVALID"], path);
      assert.match(headers["content-type"] ?? "", /^application\/json/);
      assert.equal(json.errors.length, 1);
    }
  }));

test("names that are none are NAME_INVALID, paths that are none are 404, methods that are none 405", () =>
  withRegistry(async (server) => {
    for (const name of ["Upper/case", "a//b", "-a", "a..b", "x".repeat(256), "a%00b", "..%2F..%2Fetc"]) {
      const { status, code } = await server.send("GET", `/v2/${name}/tags/list`);
      assert.deepEqual([status, code], [400, "NAME_INVALID"], name);
    }
    assert.equal((await server.send("GET", "/v2/a/b/c")).status, 404);
    assert.equal((await server.send("GET", `/v2/${repository}/manifests/${"t".repeat(129)}`)).status, 400);
    const { status, code } = await server.send("POST", `/v2/${repository}/manifests/v1`);
    assert.deepEqual([status, code], [405, "UNSUPPORTED"]);
  }));

test("the words of the protocol may be parts of names", () =>
  withRegistry(async (server) => {
    for (const name of ["manifests", "a/manifests/b", "blobs/uploads", "v2/tags/list"]) {
      await pushArtifact(server, { repository: name, reference: "v1" });
      assert.deepEqual((await server.send("GET", `/v2/${name}/tags/list`)).json, { name, tags: ["v1"] });
    }
  }));
