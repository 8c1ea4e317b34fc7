/** The distribution specification's category "content management", on the real listener. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../../../../test/kit/image-archive.ts";
import {
  artifact,
  indexOf,
  pushArtifact,
  unknownDigest,
  withRegistry,
} from "../../../../test/kit/registry.ts";

const repository = "conformance/management";

test("DELETE of a tag is 202: the tag is gone, and the manifest is there by its digest", () =>
  withRegistry(async (server) => {
    const { digest } = await pushArtifact(server, { repository, reference: "v1" });
    await pushArtifact(server, { repository, reference: "v2" });
    const path = `/v2/${repository}/manifests`;
    assert.equal((await server.send("DELETE", `${path}/v1`)).status, 202);
    assert.equal((await server.send("GET", `${path}/v1`)).status, 404);
    assert.equal((await server.send("GET", `${path}/v2`)).status, 200);
    assert.equal((await server.send("GET", `${path}/${digest}`)).status, 200);
    const again = await server.send("DELETE", `${path}/v1`);
    assert.deepEqual([again.status, again.code], [404, "MANIFEST_UNKNOWN"]);
  }));

test("DELETE of a manifest is 202, takes its tags along, and is 404 from then on", () =>
  withRegistry(async (server) => {
    const { digest } = await pushArtifact(server, { repository, reference: "v1" });
    await pushArtifact(server, { repository, reference: "v2" });
    await pushArtifact(server, { repository, reference: "other", more: { annotations: { a: "b" } } });
    await pushArtifact(server, { repository: "elsewhere", reference: "v1" });
    const path = `/v2/${repository}/manifests/${digest}`;
    assert.equal((await server.send("DELETE", path)).status, 202);
    assert.equal((await server.send("GET", path)).status, 404);
    const again = await server.send("DELETE", path);
    assert.deepEqual([again.status, again.code], [404, "MANIFEST_UNKNOWN"]);
    assert.deepEqual((await server.send("GET", `/v2/${repository}/tags/list`)).json.tags, ["other"]);
    assert.equal((await server.send("GET", "/v2/elsewhere/manifests/v1")).status, 200);
  }));

test("DELETE of a manifest that an index names is 405, and says so", () =>
  withRegistry(async (server) => {
    const one = await pushArtifact(server, { repository });
    const index = await server.put(repository, "all", indexOf([one]));
    const { status, code, json } = await server.send("DELETE", `/v2/${repository}/manifests/${one.digest}`);
    assert.deepEqual([status, code], [405, "UNSUPPORTED"]);
    assert.match(json.errors[0].message, new RegExp(String(index.headers["docker-content-digest"])));
    const path = `/v2/${repository}/manifests`;
    assert.equal(
      (await server.send("DELETE", `${path}/${index.headers["docker-content-digest"]}`)).status,
      202,
    );
    assert.equal((await server.send("DELETE", `${path}/${one.digest}`)).status, 202);
  }));

test("DELETE of a blob is 202, and 404 from then on", () =>
  withRegistry(async (server) => {
    const content = Buffer.from("a blob");
    const path = `/v2/${repository}/blobs/${await server.blob(repository, content)}`;
    await server.blob("elsewhere", content);
    assert.equal((await server.send("DELETE", path)).status, 202);
    assert.equal((await server.send("GET", path)).status, 404);
    const again = await server.send("DELETE", path);
    assert.deepEqual([again.status, again.code], [404, "BLOB_UNKNOWN"]);
    assert.equal((await server.send("GET", `/v2/elsewhere/blobs/${sha256(content)}`)).status, 200);
    await server.blob(repository, content);
    assert.equal((await server.send("GET", path)).status, 200);
  }));

test("DELETE of a blob that a manifest names is 405, and the image stays whole", () =>
  withRegistry(async (server) => {
    const { digest } = await pushArtifact(server, { repository, reference: "v1" });
    const layer = sha256(artifact().blobs[1] ?? Buffer.alloc(0));
    const path = `/v2/${repository}/blobs/${layer}`;
    const { status, code } = await server.send("DELETE", path);
    assert.deepEqual([status, code], [405, "UNSUPPORTED"]);
    assert.equal((await server.send("GET", path)).status, 200);
    assert.equal((await server.send("DELETE", `/v2/${repository}/manifests/${digest}`)).status, 202);
    assert.equal((await server.send("DELETE", path)).status, 202);
  }));

test("DELETE of what never was is 404", () =>
  withRegistry(async (server) => {
    assert.equal((await server.send("DELETE", `/v2/${repository}/manifests/${unknownDigest}`)).status, 404);
    assert.equal((await server.send("DELETE", `/v2/${repository}/manifests/never`)).status, 404);
    assert.equal((await server.send("DELETE", `/v2/${repository}/blobs/${unknownDigest}`)).status, 404);
  }));
