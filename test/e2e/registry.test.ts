/** The registry as its clients see it: skopeo, buildah and podman, unchanged; what they push runs, and what is built here they pull. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { imageArchive, sha256 } from "../kit/image-archive.ts";
import { buildBusybox, daemonForFile } from "../kit/machine-test.ts";
import { makeOciArchive } from "../kit/oci-archive.ts";
import { runProgram } from "../kit/programs.ts";
import { makeTar } from "../kit/tar-writer.ts";

const uni = await daemonForFile();
await buildBusybox(uni);

// What these clients remember of registries is the machine's, and none of this test's.
mkdirSync("/var/lib/containers/cache", { recursive: true });
execFileSync("mount", ["-t", "tmpfs", "tmpfs", "/var/lib/containers/cache"]);

const own = process.arch === "arm64" ? "arm64" : "amd64";
const host = uni.url.replace("http://", "");
const local = (name: string) => join(uni.directory, name);
const authFile = local("auth.json");
const policy = local("policy.json");
writeFileSync(policy, JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
/** Theirs, away from the machine's own. */
const storage = ["--root", local("c"), "--runroot", local("r"), "--storage-driver", "vfs"];

async function run(command: string, args: readonly string[], stdin?: string): Promise<string> {
  const env = { REGISTRY_AUTH_FILE: authFile, XDG_RUNTIME_DIR: uni.directory };
  const { code, stdout, stderr } = await runProgram(command, args, { env, stdin: stdin ?? "" });
  assert.equal(code, 0, `${command} ${args.join(" ")}\n${stdout}${stderr}\n${uni.logTail(8)}`);
  return stdout.trim();
}

const plain = "--tls-verify=false";
const skopeo = (command: string, ...args: readonly string[]) =>
  run("skopeo", ["--policy", policy, command, ...args]);
const copy = (...args: readonly string[]) =>
  skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", ...args);
const at = (name: string) => `docker://${host}/${name}`;
const digestAt = async (name: string) =>
  sha256(Buffer.from(await skopeo("inspect", plain, "--raw", at(name)), "utf8"));

const archive = (name: string, word: string, architecture?: string): string => {
  const layers = [
    [
      { name: "bin/" },
      { name: "bin/sh", content: readFileSync("/bin/busybox"), mode: 0o755 },
      { name: "word", content: `${word}\n` },
    ],
  ];
  const config = { Cmd: ["/bin/sh", "-c", "read a </word; echo $a"] };
  writeFileSync(local(name), makeOciArchive({ layers, config, ...(architecture && { architecture }) }));
  return local(name);
};

const printed = async (image: string) => (await uni.ok(["run", "--attach", "--rm", image])).trim();

test("clients log in with any user name and a token as the password; a wrong one is refused", async () => {
  await run("skopeo", ["login", plain, "-u", "me", "--password-stdin", host], uni.token);
  await run("buildah", [...storage, "login", plain, "-u", "me", "--password-stdin", host], uni.token);
  await run("podman", [...storage, "login", plain, "-u", "me", "--password-stdin", host], uni.token);
  const wrong = ["login", plain, "-u", "me", "--password-stdin", "--authfile", local("none.json"), host];
  assert.notEqual((await runProgram("skopeo", wrong, { stdin: "wrong" })).code, 0);
});

test("what skopeo pushes runs at once, under its name with or without this registry's address", async () => {
  await copy(`oci-archive:${archive("a.tar", "pushed")}`, at("team/web:1.2"));
  assert.equal(await printed("team/web:1.2"), "pushed");
  assert.equal(await printed(`${host}/team/web:1.2`), "pushed");
  assert.deepEqual(JSON.parse(await skopeo("list-tags", plain, at("team/web"))).Tags, ["1.2"]);
});

test("what is built here is pulled by skopeo, and comes back byte for byte", async () => {
  await copy(at("busybox"), `dir:${local("pulled")}`);
  const manifest = readFileSync(join(local("pulled"), "manifest.json"));
  const images = await uni.json(["images"]);
  const busybox = images.find((each: { references: string[] }) => each.references.includes("busybox:latest"));
  assert.equal(sha256(manifest), busybox.digest);
});

test("layers packed with zstd are pushed, kept as they are, and run", async () => {
  const layers = [
    makeTar([{ name: "bin/" }, { name: "bin/sh", content: readFileSync("/bin/busybox"), mode: 0o755 }]),
  ];
  const config = { Cmd: ["/bin/sh", "-c", "echo from zstd"] };
  writeFileSync(local("zstd.tar"), imageArchive({ layers, config, compress: "zstd", architecture: own }));
  await copy(`oci-archive:${local("zstd.tar")}`, at("team/zstd:1"));
  const raw = JSON.parse(await skopeo("inspect", plain, "--raw", at("team/zstd:1")));
  assert.match(raw.layers[0].mediaType, /zstd/);
  assert.equal(await printed("team/zstd:1"), "from zstd");
});

test("an index of several platforms is pushed whole, and this machine's image of it runs", async () => {
  const other = own === "arm64" ? "amd64" : "arm64";
  const buildah = (...args: readonly string[]) => run("buildah", [...storage, ...args]);
  await buildah("manifest", "create", "all");
  for (const [architecture, word] of [
    [own, "mine"],
    [other, "theirs"],
  ] as const) {
    const file = archive(`${architecture}.tar`, word, architecture);
    await buildah("manifest", "add", "--arch", architecture, "all", `oci-archive:${file}`);
  }
  await buildah("manifest", "push", "--all", plain, "all", at("team/all:1"));
  assert.equal(await printed("team/all:1"), "mine");
  await copy("--all", at("team/all:1"), at("team/copy:1"));
  assert.equal(await digestAt("team/copy:1"), await digestAt("team/all:1"));
  assert.equal(await printed(`team/copy@${await digestAt("team/copy:1")}`), "mine");
});

test("buildah builds on an image of this registry and pushes what it made", async () => {
  mkdirSync(local("context"));
  const lines = [`FROM ${host}/team/web:1.2`, "RUN echo built >/word"];
  writeFileSync(join(local("context"), "Dockerfile"), lines.join("\n"));
  const build = ["bud", "--isolation", "chroot", plain, "-t", "built", local("context")];
  await run("buildah", [...storage, ...build]);
  await run("buildah", [...storage, "push", plain, "built", at("team/built:1")]);
  assert.equal(await printed("team/built:1"), "built");
});

test("podman pulls, tags and pushes; it pulls what uni tagged", async () => {
  const podman = (...args: readonly string[]) => run("podman", [...storage, ...args]);
  await podman("pull", plain, `${host}/team/web:1.2`);
  await podman("tag", `${host}/team/web:1.2`, `${host}/team/podman:1`);
  await podman("push", plain, `${host}/team/podman:1`);
  assert.equal(await printed("team/podman:1"), "pushed");
  await uni.ok(["tag", "busybox", "team/tagged:1"]);
  await podman("pull", plain, `${host}/team/tagged:1`);
});

test("an artifact with a subject is found by its referrers, runs not, and says why", async () => {
  const subject = await digestAt("team/web:1.2");
  const size = Buffer.byteLength(await skopeo("inspect", plain, "--raw", at("team/web:1.2")));
  const send = (
    method: string,
    path: string,
    body?: Uint8Array | string,
    type = "application/octet-stream",
  ) =>
    fetch(`${uni.url}/v2/team/web/${path}`, {
      method,
      headers: { authorization: `Bearer ${uni.token}`, "content-type": type },
      body: (body ?? null) as string | null,
    });
  const blobs = ["{}", "signature"];
  for (const blob of blobs) {
    const path = `blobs/uploads/?digest=${sha256(Buffer.from(blob))}`;
    assert.equal((await send("POST", path, blob)).status, 201);
  }
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const [config, layer] = blobs.map((blob) => ({ digest: sha256(Buffer.from(blob)), size: blob.length }));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType: "application/vnd.example.signature",
    config: { mediaType: "application/vnd.oci.empty.v1+json", ...config },
    layers: [{ mediaType: "text/plain", ...layer }],
    subject: { mediaType: manifestType, digest: subject, size },
  });
  const digest = sha256(Buffer.from(manifest));
  assert.equal((await send("PUT", `manifests/${digest}`, manifest, manifestType)).status, 201);
  assert.equal((await send("PUT", "manifests/signature", manifest, manifestType)).status, 201);
  const index = (await (await send("GET", `referrers/${subject}`)).json()) as {
    manifests: { digest: string }[];
  };
  assert.deepEqual(
    index.manifests.map((each) => each.digest),
    [digest],
  );
  const refusal = await uni.refused(["run", "team/web:signature"]);
  assert.equal(refusal.code, "image_invalid");
  assert.match(refusal.message, /not an image/);
  await uni.ok(["rmi", "team/web:signature"]);
});

test("skopeo deletes; uni rmi removes what was pushed from the registry too", async () => {
  await skopeo("delete", plain, at("team/copy:1"));
  assert.deepEqual(JSON.parse(await skopeo("list-tags", plain, at("team/copy"))).Tags, []);
  await uni.ok(["rmi", "team/built:1"]);
  const gone = await runProgram("skopeo", ["inspect", plain, at("team/built:1")], {
    env: { REGISTRY_AUTH_FILE: authFile },
  });
  assert.notEqual(gone.code, 0);
  assert.match(gone.stderr, /unknown/);
});
