/** What is done with images that are here: looked into, saved, pushed, pinned, counted. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildBusybox, daemonForFile } from "../kit/machine-test.ts";
import { runProgram, startProgram } from "../kit/programs.ts";
import { unikraftImagesScenario } from "../kit/unikraft-images-scenario.ts";
import { unpacked } from "../kit/unpacked.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
await buildBusybox(uni, ["--cmd", '["sh"]']);

const local = (name: string): string => join(uni.directory, name);
const digestOf = async (name: string): Promise<string> => (await uni.json(["inspect", name])).digest;

async function skopeo(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram("skopeo", args);
  assert.equal(code, 0, stderr);
  return stdout;
}

test("files of an image are listed, printed and copied out without a machine", async () => {
  const names = (await uni.ok(["image", "ls", "busybox", "-R", "-q"])).split("\n");
  assert.ok(names.includes("bin/busybox") && names.includes("bin/sh"));
  assert.match(await uni.ok(["image", "ls", "busybox:/bin"]), /^lrwxrwxrwx .* sh -> /m);
  const program = readFileSync("/bin/busybox");
  await uni.ok(["image", "cp", "busybox:/bin", local("out")]);
  assert.deepEqual(readFileSync(join(local("out"), "busybox")), program);
  const { stdout } = await runProgram("sh", ["-c", `"$0" image cat busybox:/bin/sh | sha256sum`, "bin/uni"], {
    env: { UNI_SOCKET: uni.socket },
    cwd: join(import.meta.dirname, "../.."),
  });
  assert.equal(stdout.split(" ")[0], createHash("sha256").update(program).digest("hex"));
  assert.equal((await uni.refused(["image", "cat", "busybox:/none"])).code, "not_found");
  assert.equal((await uni.refused(["image", "cat", "busybox:/bin"])).code, "invalid_value");
});

test("skopeo reads what is saved, in both formats, and it is loaded again as it was", async () => {
  const digest = await digestOf("busybox");
  await uni.ok(["save", "busybox", "-o", local("oci.tar")]);
  assert.equal(JSON.parse(await skopeo("inspect", `oci-archive:${local("oci.tar")}`)).Digest, digest);
  await uni.ok(["save", "busybox", "-o", local("docker.tar"), "--format", "docker"]);
  assert.deepEqual(JSON.parse(await skopeo("inspect", `docker-archive:${local("docker.tar")}`)).RepoTags, []);
  await skopeo("copy", "--insecure-policy", `docker-archive:${local("docker.tar")}`, `dir:${local("dir")}`);
  await uni.ok(["tag", "busybox", "keeps:1"]);
  await uni.ok(["rmi", "busybox"]);
  await uni.ok(["load", local("oci.tar")]);
  assert.equal(await digestOf("busybox"), digest);
  await uni.ok(["rmi", "keeps:1"]);
});

test("a disk that is full of a save leaves no half file, and says so", async () => {
  const directory = mkdtempSync(join(tmpdir(), "s-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", directory]);
  try {
    const { code } = await uni.refused(["save", "busybox", "-o", join(directory, "x.tar")]);
    assert.equal(code, "no_space");
    assert.deepEqual(readdirSync(directory), []);
  } finally {
    execFileSync("umount", [directory]);
    rmdirSync(directory);
  }
});

/** Debian's registry, on a port of its own. */
async function startRegistry(): Promise<string> {
  const port = await freePort();
  mkdirSync(local("registry"));
  const config = [
    "version: 0.1",
    `storage: {filesystem: {rootdirectory: ${local("registry")}}}`,
    `http: {addr: "127.0.0.1:${port}"}`,
    "log: {level: error}",
  ];
  writeFileSync(local("registry.yml"), config.join("\n"));
  const registry = startProgram(unpacked("docker-registry"), ["serve", local("registry.yml")]);
  after(async () => {
    registry.child.kill("SIGKILL");
    await registry.ended;
  });
  const answers = () =>
    fetch(`http://127.0.0.1:${port}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until("the registry answers", answers);
  return `127.0.0.1:${port}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

test("an image is pushed to Debian's registry, byte for byte, and only once", async () => {
  const host = await startRegistry();
  const digest = await digestOf("busybox");
  const inspect = async (name: string) =>
    JSON.parse(await skopeo("inspect", "--tls-verify=false", `docker://${host}/${name}`)).Digest;
  assert.equal(await uni.ok(["push", "busybox", `${host}/team/box:1`]), `${digest}  ${host}/team/box:1`);
  assert.equal(await inspect("team/box:1"), digest);
  const again = await uni.uni(["push", "busybox", `${host}/team/box:2`]);
  assert.match(again.stderr, /already there/);
  await uni.ok(["tag", "busybox", `${host}/team/box:1`]);
  const mounted = await uni.uni(["push", "busybox", `${host}/other/box:1`]);
  assert.match(mounted.stderr, /mounted/);
  assert.equal(await inspect("other/box:1"), digest);
  await uni.ok(["rmi", `${host}/team/box:1`]);
  await skopeo(
    "copy",
    "--insecure-policy",
    "--src-tls-verify=false",
    `docker://${host}/other/box:1`,
    `oci:${local("back")}`,
  );
  assert.equal((await uni.refused(["push", "busybox", "127.0.0.1:1/x:1"])).code, "unreachable");
});

test("a pinned image is neither removed nor pruned, and a new daemon knows of it", async () => {
  await unikraftImagesScenario(uni.url, uni.token, "busybox");
  await uni.ok(["image", "pin", "busybox"]);
  await uni.kill();
  await uni.start();
  assert.equal(await uni.ok(["image", "pins", "-q"]), "busybox");
  const refusal = await uni.refused(["rmi", "busybox"]);
  assert.equal(refusal.code, "in_use");
  assert.match(refusal.message, /a pin/);
  await uni.ok(["image", "unpin", "busybox"]);
  await uni.ok(["save", "busybox", "-o", local("again.tar")]);
  await uni.ok(["rmi", "busybox"]);
  await uni.ok(["load", local("again.tar")]);
});

test("df names what a prune then frees", async () => {
  const file = local("one-file");
  mkdirSync(file);
  for (const content of ["a", "b"]) {
    writeFileSync(join(file, "f"), content.repeat(100_000));
    await uni.ok(["build", file, "--rootfs", "-t", "moves", "--cmd", '["/f"]']);
  }
  const { kinds } = await uni.json(["df"]);
  const of = (kind: string) => kinds.find((each: { kind: string }) => each.kind === kind);
  const reclaimable = of("images").reclaimable_bytes + of("image_layers").reclaimable_bytes;
  assert.ok(reclaimable > 100_000);
  assert.ok((await uni.json(["prune"])).freed_bytes >= reclaimable);
  const after = (await uni.json(["df"])).kinds.find((each: { kind: string }) => each.kind === "images");
  assert.equal(after.reclaimable_bytes, 0);
});

test("names here are searched, and images filtered", async () => {
  await uni.ok(["tag", "busybox", "team/busybox:2"]);
  assert.equal(await uni.ok(["search", "busy", "-q"]), "busybox\nteam/busybox");
  assert.equal(await uni.ok(["images", "team/*", "-q"]), "team/busybox:2");
  const history = await uni.json(["history", "busybox"]);
  assert.ok(history.length > 0 && history[0].size_bytes > 0);
  assert.deepEqual(JSON.parse(await uni.ok(["rmi", "team/busybox:2", "-o", "json"])).removed, [
    "team/busybox:2",
  ]);
});
