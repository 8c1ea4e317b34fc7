/** What clients of the registry do to it and to each other, on the real listener. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { imageBlobs, sha256 } from "../../../../test/kit/image-archive.ts";
import { adminToken, type TestRegistry, unknownDigest, withRegistry } from "../../../../test/kit/registry.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";
import { until } from "../../../../test/kit/until.ts";
import { fakeToken } from "../api/fake-core.ts";
import { ManualClock } from "../base/manual-clock.ts";

const repository = "team/web";
const content = Buffer.alloc(3 << 20, "some content ");
const digest = sha256(content);

const filesOf = ({ directory }: TestRegistry, below: string): string[] =>
  readdirSync(join(directory, below), { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(join(directory, below, name)).isFile(),
  );

test("fifty clients push the same image at once: each succeeds, and each blob is kept once", () =>
  withRegistry(async (server) => {
    const layers = ["a", "b", "c"].map((name) => makeTar([{ name, content: name.repeat(100_000) }]));
    const image = { layers, compress: "gzip" as const };
    const digests = await Promise.all(
      Array.from({ length: 50 }, (_, n) => server.push(repository, `v${n}`, image)),
    );
    assert.equal(new Set(digests).size, 1);
    const { json } = await server.send("GET", `/v2/${repository}/tags/list`);
    assert.equal(json.tags.length, 50);
    assert.equal(filesOf(server, "blobs").length, imageBlobs(image).length);
    assert.deepEqual(filesOf(server, "uploads"), []);
    assert.equal((await server.images.resolve(`${repository}:v49`)).digest, digests[0]);
  }));

test("a client whose connection breaks goes on where the registry says that it is", () =>
  withRegistry(async (server) => {
    const path = await server.begin(repository);
    const body = new PassThrough();
    const broken = assert.rejects(server.send("PATCH", path, { body }), /ECONNRESET|socket hang up|aborted/);
    const [host = "", port] = server.address.split(":");
    const socket = connect(Number(port), host);
    const head = [`PATCH ${path} HTTP/1.1`, "host: x", `authorization: Bearer ${adminToken}`];
    body.write(content.subarray(0, 1 << 20));
    await until("the first bytes are there", () => filesSize(server) >= 512 << 10);
    // Another connection takes the upload over, and breaks in its turn.
    socket.write([...head, `content-length: ${content.length}`, "", ""].join("\r\n"));
    await broken;
    socket.destroy();
    const size = await until("nobody has the upload", async () => {
      const range = (await server.send("GET", path)).headers.range ?? "";
      return Number(range.split("-")[1]) + 1;
    });
    const rest = content.subarray(size);
    const headers = { "content-range": `${size}-${content.length - 1}` };
    assert.equal((await server.send("PUT", `${path}?digest=${digest}`, { body: rest, headers })).status, 201);
    assert.equal(
      (await server.send("HEAD", `/v2/${repository}/blobs/${digest}`)).headers["content-length"],
      String(content.length),
    );
  }));

const filesSize = (server: TestRegistry): number =>
  filesOf(server, "uploads").reduce(
    (sum, name) => sum + statSync(join(server.directory, "uploads", name)).size,
    0,
  );

test("an upload that stands still ends, one that moves does not, and what arrived is kept", async () => {
  const clock = new ManualClock();
  const body = async (server: TestRegistry) => {
    const path = await server.begin(repository);
    const stream = new PassThrough();
    const ended = assert.rejects(
      server.send("PATCH", path, { body: stream }),
      /ECONNRESET|socket hang up|EPIPE/,
    );
    for (let n = 1; n <= 3; n++) {
      stream.write(content.subarray(0, 1 << 20));
      await until("the bytes are there", () => filesSize(server) >= (n - 1) * (1 << 20) + (512 << 10));
      await clock.advance(59_000);
    }
    await clock.advance(120_000);
    await ended;
    await until("its bytes are in the file", () => filesSize(server) === 3 << 20);
    assert.equal((await server.send("GET", path)).headers.range, `0-${(3 << 20) - 1}`);
  };
  await withRegistry(body, { clock });
});

test("a download that nobody reads ends", async () => {
  const clock = new ManualClock();
  const body = async (server: TestRegistry) => {
    // More than the kernel keeps for a reader that does not come, by its standards (tcp(7), tcp_rmem and tcp_wmem).
    const large = Buffer.alloc(128 << 20);
    const of = await server.blob(repository, large);
    const [host = "", port] = server.address.split(":");
    const socket = connect(Number(port), host);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => {});
    const lines = [
      `GET /v2/${repository}/blobs/${of} HTTP/1.1`,
      "host: x",
      `authorization: Bearer ${adminToken}`,
    ];
    socket.write([...lines, "", ""].join("\r\n"));
    await new Promise((resolve) => socket.once("readable", resolve));
    await until("the server ends it", async () => {
      await clock.advance(60_000);
      return !isEstablished(Number(port), socket.localPort ?? 0);
    });
    // The bytes that are on their way still come; the end comes too early.
    let size = 0;
    socket.on("data", (chunk: Buffer) => (size += chunk.length));
    await closed;
    assert.ok(size < large.length, `${size} bytes came`);
  };
  await withRegistry(body, { clock });
});

/** From one port of this machine to another, as proc_net_tcp(5) tells: what has been closed on this side is in another state. */
function isEstablished(from: number, to: number): boolean {
  const end = (port: number) => `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return readFileSync("/proc/net/tcp", "utf8").includes(`${end(from)} ${end(to)} 01 `);
}

test("the API's bodies have their time, and an upload may take longer", async () => {
  const clock = new ManualClock();
  const body = async (server: TestRegistry) => {
    const stream = new PassThrough();
    stream.write("[");
    const slow = server.send("POST", "/v1/instances", { body: stream, token: fakeToken });
    const upload = new PassThrough();
    const path = await server.begin(repository);
    const patched = server.send("PATCH", path, { body: upload });
    upload.write(content);
    await until("the upload is under way", () => filesSize(server) > 0);
    await clock.advance(60_000);
    assert.equal((await slow).status, 504);
    stream.destroy();
    upload.end();
    assert.equal((await patched).status, 202);
  };
  await withRegistry(body, { clock });
});

test("without room a push is refused with 507, leaves nothing, and works when there is room again", async () => {
  let free = 1 << 30;
  const body = async (server: TestRegistry) => {
    free = 1 << 20;
    const post = await server.send("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, {
      body: content,
    });
    assert.deepEqual([post.status, post.code], [507, "BLOB_UPLOAD_INVALID"]);
    assert.deepEqual(filesOf(server, "uploads"), []);
    free = 1 << 30;
    assert.equal(await server.blob(repository, content), digest);
  };
  await withRegistry(body, { images: { freeBytes: async () => free } });
});

test("a refusal is heard although the body that it is about is long", () =>
  withRegistry(async (server) => {
    const large = Buffer.alloc(16 << 20);
    const path = `/v2/${repository}/blobs/uploads/${crypto.randomUUID()}`;
    for (const [options, status] of [
      [{ body: large }, 404],
      [{ body: large, token: "wrong" }, 401],
    ] as const) {
      const answer = await server
        .send("PATCH", path, options)
        .catch((error: NodeJS.ErrnoException) => error.code);
      if (typeof answer === "object") assert.equal(answer.status, status);
      else assert.match(String(answer), /EPIPE|ECONNRESET/);
    }
    assert.equal((await server.send("GET", `/v2/${repository}/blobs/${unknownDigest}`)).status, 404);
  }));
