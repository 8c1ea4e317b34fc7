/** A push outlives the daemon that began it, whenever that is killed; a disk that is full refuses it and is as empty as before. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmdirSync, statfsSync } from "node:fs";
import { type ClientRequest, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { startDaemon, type TestDaemon } from "../kit/daemon.ts";
import { imageBlobs } from "../kit/image-archive.ts";
import { daemonForFile } from "../kit/machine-test.ts";
import { makeTar } from "../kit/tar-writer.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
const architecture = process.arch === "arm64" ? "arm64" : "amd64";

/** A layer that takes its time on the way, and a shell. */
function makeImage(word: string, bytes = 8 << 20) {
  const layer = makeTar([
    { name: "bin/" },
    { name: "bin/sh", content: readFileSync("/bin/busybox"), mode: 0o755 },
    { name: "noise", content: randomBytes(bytes) },
  ]);
  const config = { Cmd: ["/bin/sh", "-c", `echo ${word}`] };
  return imageBlobs({ layers: [layer], config, architecture });
}

async function send(
  daemon: TestDaemon,
  method: string,
  path: string,
  body?: Buffer,
  type = "application/octet-stream",
) {
  const answer = await fetch(`${daemon.url}/v2/${path}`, {
    method,
    headers: { authorization: `Bearer ${daemon.token}`, "content-type": type },
    body: (body ?? null) as Uint8Array<ArrayBuffer> | null,
  });
  const json = (await answer.json().catch(() => undefined)) as { errors: { code: string }[] } | undefined;
  return { status: answer.status, headers: answer.headers, json };
}

const begin = async (daemon: TestDaemon, repository: string) =>
  (await send(daemon, "POST", `${repository}/blobs/uploads/`)).headers.get("location")?.replace("/v2/", "") ??
  "";

/** Sends part of a body and leaves the request open. */
function sendPart(daemon: TestDaemon, path: string, part: Buffer, length: number): ClientRequest {
  const headers = { authorization: `Bearer ${daemon.token}`, "content-length": length };
  const outgoing = request(`${daemon.url}/v2/${path}`, { method: "PATCH", headers });
  outgoing.on("error", () => {});
  outgoing.write(part);
  return outgoing;
}

async function restart(daemon: TestDaemon): Promise<void> {
  await daemon.kill();
  await daemon.start();
}

/** What is left of an upload is gone on with; what is gone begins anew, as clients do. */
async function finishBlob(
  repository: string,
  upload: string,
  blob: { digest: string; bytes: Buffer },
): Promise<void> {
  const { status, headers } = await send(uni, "GET", upload);
  if (status === 404) {
    const path = `${repository}/blobs/uploads/?digest=${blob.digest}`;
    assert.equal((await send(uni, "POST", path, blob.bytes)).status, 201);
    return;
  }
  const range = headers.get("range") ?? "";
  const size = range === "0-0" ? 0 : Number(range.split("-")[1]) + 1;
  assert.ok(size <= blob.bytes.length);
  assert.equal(
    (await send(uni, "PUT", `${upload}?digest=${blob.digest}`, blob.bytes.subarray(size))).status,
    201,
  );
}

const kills = [
  "an upload has begun",
  "half of a blob has arrived",
  "all of a blob has arrived",
  "a blob is finished",
  "a manifest is taken",
];

for (const [step, when] of kills.entries()) {
  test(`killed when ${when}: the push is finished with the next daemon, and runs`, async () => {
    const repository = `killed/${step}`;
    const [manifest, config, layer] = makeImage(`step ${step}`);
    assert.ok(config !== undefined && layer !== undefined);
    assert.equal(
      (await send(uni, "POST", `${repository}/blobs/uploads/?digest=${config.digest}`, config.bytes)).status,
      201,
    );
    const upload = await begin(uni, repository);
    if (step === 1) {
      const before = statfsSync(uni.directory).bavail;
      const open = sendPart(uni, upload, layer.bytes.subarray(0, 4 << 20), layer.size);
      await until("bytes are on the disk", () => before - statfsSync(uni.directory).bavail > 0);
      await restart(uni);
      open.destroy();
    }
    if (step >= 2) assert.equal((await send(uni, "PATCH", upload, layer.bytes)).status, 202);
    if (step >= 3) assert.equal((await send(uni, "PUT", `${upload}?digest=${layer.digest}`)).status, 201);
    const put = () => send(uni, "PUT", `${repository}/manifests/1`, manifest.bytes, manifest.mediaType);
    if (step >= 4) assert.equal((await put()).status, 201);
    if (step !== 1) await restart(uni);
    const head = await send(uni, "HEAD", `${repository}/blobs/${layer.digest}`);
    assert.equal(head.status, step >= 3 ? 200 : 404);
    if (step < 3) await finishBlob(repository, upload, layer);
    if (step < 4) assert.equal((await put()).status, 201);
    assert.equal(await uni.ok(["run", "--attach", "--rm", `${repository}:1`]), `step ${step}`);
  });
}

test("a full disk refuses a push with 507 and is as empty as before; with room it goes through", async () => {
  const directory = mkdtempSync(join(tmpdir(), "f-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=40m", "tmpfs", directory]);
  after(() => {
    execFileSync("umount", ["-l", directory]);
    rmdirSync(directory);
  });
  const small = await startDaemon({ directory });
  const free = () => statfsSync(directory).bavail;
  const before = free();
  const bytes = randomBytes(60 << 20);
  const told = await send(
    small,
    "POST",
    "full/web/blobs/uploads/?digest=sha256:".concat("0".repeat(64)),
    bytes,
  ).catch(() => undefined);
  if (told !== undefined)
    assert.deepEqual([told.status, told.json?.errors[0]?.code], [507, "BLOB_UPLOAD_INVALID"]);
  const upload = await begin(small, "full/web");
  const untold = request(`${small.url}/v2/${upload}`, {
    method: "PATCH",
    headers: { authorization: `Bearer ${small.token}`, "transfer-encoding": "chunked" },
  });
  untold.on("error", () => {});
  for (let n = 0; n < 60; n++) untold.write(bytes.subarray(n << 20, (n + 1) << 20));
  untold.end();
  await until("the upload is gone", async () => (await send(small, "GET", upload)).status === 404);
  await until("the space is free again", () => before - free() < 512);
  const [manifest, config, layer] = makeImage("there is room", 4 << 20);
  for (const blob of [config, layer]) {
    assert.ok(blob !== undefined);
    const path = `full/web/blobs/uploads/?digest=${blob.digest}`;
    assert.equal((await send(small, "POST", path, blob.bytes)).status, 201);
  }
  const put = await send(small, "PUT", "full/web/manifests/1", manifest.bytes, manifest.mediaType);
  assert.equal(put.status, 201);
  assert.equal(await small.ok(["run", "--attach", "--rm", "full/web:1"]), "there is room");
  await small.ok(["shutdown", "--stop"]);
});
