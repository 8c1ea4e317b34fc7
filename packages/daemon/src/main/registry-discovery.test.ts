/** The distribution specification's category "content discovery", on the real listener. */
import assert from "node:assert/strict";
import { test } from "node:test";
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

const repository = "conformance/discovery";

async function tagged(server: TestRegistry, tags: readonly string[]): Promise<void> {
  for (const reference of tags) await pushArtifact(server, { repository, reference });
}

const tagsAt = async (server: TestRegistry, path: string) => {
  const { json, headers } = await server.send("GET", path);
  return { tags: json.tags as string[], next: /^<([^>]+)>; rel="next"$/.exec(String(headers.link))?.[1] };
};

test("tags are listed in their order, whatever their case", () =>
  withRegistry(async (server) => {
    await tagged(server, ["b", "C", "a", "c", "B2", "_", "1.0"]);
    const { status, json } = await server.send("GET", `/v2/${repository}/tags/list`);
    assert.equal(status, 200);
    assert.deepEqual(json, { name: repository, tags: ["1.0", "_", "a", "b", "B2", "C", "c"] });
  }));

test("n bounds the list, last says where it begins, and Link leads to the next page", () =>
  withRegistry(async (server) => {
    await tagged(server, ["t4", "t1", "T3", "t2", "t5"]);
    const base = `/v2/${repository}/tags/list`;
    const seen: string[] = [];
    let next: string | undefined = `${base}?n=2`;
    for (let pages = 0; next !== undefined; pages++) {
      assert.ok(pages < 3);
      const page = await tagsAt(server, next);
      assert.ok(page.tags.length <= 2);
      seen.push(...page.tags);
      next = page.next;
    }
    assert.deepEqual(seen, ["t1", "t2", "T3", "t4", "t5"]);
    assert.deepEqual((await tagsAt(server, `${base}?last=t2`)).tags, ["T3", "t4", "t5"]);
    assert.deepEqual((await tagsAt(server, `${base}?n=1&last=t30`)).tags, ["t4"]);
    assert.deepEqual(await tagsAt(server, `${base}?last=zz`), { tags: [], next: undefined });
    assert.deepEqual(await tagsAt(server, `${base}?n=0`), { tags: [], next: undefined });
    assert.deepEqual((await tagsAt(server, `${base}?n=5`)).next, undefined);
    assert.equal((await server.send("GET", `${base}?n=many`)).status, 400);
  }));

test("tags of a repository that is not there are 404, NAME_UNKNOWN; one without tags has an empty list", () =>
  withRegistry(async (server) => {
    const { status, code } = await server.send("GET", "/v2/nothing/here/tags/list");
    assert.deepEqual([status, code], [404, "NAME_UNKNOWN"]);
    await server.blob(repository, Buffer.from("x"));
    assert.deepEqual((await server.send("GET", `/v2/${repository}/tags/list`)).json.tags, []);
  }));

test("a repository's tags are its own, also where one's name begins like another's", () =>
  withRegistry(async (server) => {
    for (const name of ["a/b", "a/bc", "a/b/c", "a"]) {
      await pushArtifact(server, { repository: name, reference: name.replaceAll("/", "-") });
    }
    assert.deepEqual((await server.send("GET", "/v2/a/b/tags/list")).json.tags, ["a-b"]);
    assert.deepEqual((await server.send("GET", "/v2/_catalog?n=3")).json.repositories, ["a", "a/b", "a/b/c"]);
  }));

async function referrers(server: TestRegistry) {
  const of = await pushArtifact(server, { repository, reference: "subject" });
  const subject = { mediaType: manifestType, digest: of.digest, size: of.size };
  const annotations = { "org.example.key": "value" };
  const signature = await pushArtifact(server, {
    repository,
    more: { subject, annotations, artifactType: "application/vnd.example.signature" },
  });
  const { bytes, blobs } = artifact();
  const byConfig = {
    ...artifact().manifest,
    subject,
    config: { ...artifact().manifest.config, mediaType: "application/vnd.example.report" },
  };
  assert.equal(blobs.length > 0 && bytes.length > 0, true);
  assert.equal((await server.put(repository, "report", byConfig)).status, 201);
  const index = indexOf([signature], { subject, artifactType: "application/vnd.example.set" });
  assert.equal((await server.put(repository, "set", index)).status, 201);
  return { subject, signature };
}

test("referrers of what has none, or is not there, are an empty index: 200", () =>
  withRegistry(async (server) => {
    const { status, headers, json } = await server.send(
      "GET",
      `/v2/${repository}/referrers/${unknownDigest}`,
    );
    assert.deepEqual([status, headers["content-type"]], [200, indexType]);
    assert.deepEqual(json, { schemaVersion: 2, mediaType: indexType, manifests: [] });
  }));

test("referrers are listed with type, size, artifact type and annotations; manifests and indexes", () =>
  withRegistry(async (server) => {
    const { subject, signature } = await referrers(server);
    const { status, headers, json } = await server.send(
      "GET",
      `/v2/${repository}/referrers/${subject.digest}`,
    );
    assert.deepEqual([status, headers["content-type"]], [200, indexType]);
    assert.equal(headers["oci-filters-applied"], undefined);
    const types = json.manifests.map((each: { artifactType: string }) => each.artifactType).sort();
    assert.deepEqual(types, [
      "application/vnd.example.report",
      "application/vnd.example.set",
      "application/vnd.example.signature",
    ]);
    const listed = json.manifests.find((each: { digest: string }) => each.digest === signature.digest);
    assert.deepEqual(listed, {
      mediaType: manifestType,
      digest: signature.digest,
      size: signature.size,
      artifactType: "application/vnd.example.signature",
      annotations: { "org.example.key": "value" },
    });
  }));

test("referrers can be filtered by artifact type, and the answer says that they are", () =>
  withRegistry(async (server) => {
    const { subject } = await referrers(server);
    const type = "application/vnd.example.report";
    const path = `/v2/${repository}/referrers/${subject.digest}?artifactType=${encodeURIComponent(type)}`;
    const { headers, json } = await server.send("GET", path);
    assert.equal(headers["oci-filters-applied"], "artifactType");
    assert.deepEqual(
      json.manifests.map((each: { artifactType: string }) => each.artifactType),
      [type],
    );
  }));

test("who refers to something that is not there is listed, in its own repository alone", () =>
  withRegistry(async (server) => {
    const subject = { mediaType: manifestType, digest: unknownDigest, size: 5 };
    const { digest } = await pushArtifact(server, { repository, more: { subject } });
    const path = (name: string) => `/v2/${name}/referrers/${unknownDigest}`;
    assert.deepEqual((await server.send("GET", path(repository))).json.manifests[0].digest, digest);
    assert.deepEqual((await server.send("GET", path("other"))).json.manifests, []);
    assert.equal((await server.send("GET", `/v2/${repository}/referrers/sha256:x`)).status, 400);
  }));

test("many referrers come in pages", () =>
  withRegistry(async (server) => {
    const subject = { mediaType: manifestType, digest: unknownDigest, size: 5 };
    const pushed = new Set<string>();
    for (let n = 0; n < 70; n++) {
      const more = { subject, annotations: { n: String(n) } };
      pushed.add((await pushArtifact(server, { repository, more })).digest);
    }
    const seen: string[] = [];
    let next: string | undefined = `/v2/${repository}/referrers/${unknownDigest}`;
    while (next !== undefined) {
      const { json, headers } = await server.send("GET", next);
      seen.push(...json.manifests.map((each: { digest: string }) => each.digest));
      next = /^<([^>]+)>; rel="next"$/.exec(String(headers.link))?.[1];
    }
    assert.equal(seen.length, 70);
    assert.deepEqual(new Set(seen), pushed);
  }));
