/** Docker itself, Debian's engine and client, unchanged: against the daemon's registry, and as where credentials come from. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { DockerEngine } from "../kit/docker-engine.ts";
import { startDockerRegistry } from "../kit/docker-registry.ts";
import { daemonForFile } from "../kit/machine-test.ts";
import { makeOciArchive } from "../kit/oci-archive.ts";
import { enterOwnNamespaces } from "../kit/own-namespaces.ts";
import type { RunOptions } from "../kit/programs.ts";

enterOwnNamespaces();
// What is registered first is stopped first: the daemon then finds nobody but itself.
const engine = await DockerEngine.start();
after(async () => {
  await engine.stop();
  for (const path of ["/etc/docker", "/opt/containerd", "/run/docker"]) assert.ok(!existsSync(path), path);
});
const other = await startDockerRegistry(5000);
after(other.stop);
const uni = await daemonForFile();
const host = uni.url.replace("http://", "");
const image = `${host}/team/web:1`;

async function docker(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await engine.run(args, options);
  assert.equal(code, 0, `docker ${args.join(" ")}\n${stdout}${stderr}\n${uni.logTail(8)}`);
  return stdout.trim();
}

async function refusedByDocker(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await engine.run(args, options);
  assert.notEqual(code, 0, `docker ${args.join(" ")} should have been refused, and printed\n${stdout}`);
  return stderr;
}

const login = (to: string, user: string, password: string): [string[], RunOptions] => [
  ["login", "-u", user, "--password-stdin", to],
  { stdin: password },
];
const credentials = () => readFileSync(join(engine.configDirectory, "config.json"), "utf8");
const printed = async (name: string) => (await uni.ok(["run", "--attach", "--rm", name])).trim();

const layers = [
  [{ name: "bin/" }, { name: "bin/sh", content: readFileSync("/bin/busybox"), mode: 0o755 }],
  [{ name: "word", content: "from docker\n" }],
];
const archive = join(uni.directory, "image.tar");
writeFileSync(
  archive,
  makeOciArchive({ layers, config: { Cmd: ["/bin/sh", "-c", "read a </word; echo $a"] } }),
);
await uni.ok(["load", archive, "-t", "origin"]);

/** The digest that the last line of a push or pull tells. */
const digestIn = (output: string): string => /digest: (sha256:[0-9a-f]{64})/i.exec(output)?.[1] ?? output;

test("docker login takes any user and a token; a wrong token is refused, and docker says by whom and why", async () => {
  const refusal = await refusedByDocker(...login(host, "me", "wrong"));
  assert.match(refusal, /unauthorized: get a token: the user name and password are not valid/);
  assert.match(await docker(...login(host, "whoever", uni.token)), /Login Succeeded/);
  assert.match(credentials(), new RegExp(`"${host}"`));
});

let digest = "";
test("what is made here is pulled by docker, and what docker pushes runs under its name", async () => {
  await docker(["pull", `${host}/origin`]);
  await docker(["tag", `${host}/origin`, image]);
  digest = digestIn(await docker(["push", image]));
  assert.equal(await printed("team/web:1"), "from docker");
});

test("docker pulls by tag and by digest what it pushed", async () => {
  const id = await docker(["image", "inspect", "--format", "{{.Id}}", image]);
  await docker(["rmi", image, `${host}/origin`]);
  assert.equal(digestIn(await docker(["pull", image])), digest);
  await docker(["rmi", image]);
  const byDigest = `${host}/team/web@${digest}`;
  await docker(["pull", byDigest]);
  assert.equal(await docker(["image", "inspect", "--format", "{{.Id}}", byDigest]), id);
  await docker(["tag", byDigest, image]);
});

test("layers that are there are not sent again, and are mounted into other repositories", async () => {
  await docker(["tag", image, `${host}/team/web:2`]);
  const again = await docker(["push", `${host}/team/web:2`]);
  assert.equal(again.match(/Layer already exists/g)?.length, layers.length, again);
  await docker(["tag", image, `${host}/team/copy:1`]);
  const mounted = await docker(["push", `${host}/team/copy:1`]);
  assert.equal(mounted.match(/Mounted from team\/web/g)?.length, layers.length, mounted);
  assert.equal(digestIn(mounted), digest);
});

test("docker manifest inspect reads what a tag means", async () => {
  const { schemaVersion, layers: described } = JSON.parse(
    await docker(["manifest", "inspect", "--insecure", image]),
  );
  assert.deepEqual([schemaVersion, described.length], [2, layers.length]);
});

test("uni pulls with what docker login has written", async () => {
  const elsewhere = `${other.host}/team/web:1`;
  await docker(...login(other.host, "me", "secret"));
  await docker(["tag", image, elsewhere]);
  await docker(["push", elsewhere]);
  assert.equal(
    (await uni.refused(["pull", elsewhere], { env: { HOME: "/nonexistent" } })).code,
    "registry_denied",
  );
  await uni.ok(["pull", elsewhere], { env: { DOCKER_CONFIG: engine.configDirectory } });
  assert.equal(await printed(elsewhere), "from docker");
});

test("after docker logout neither a push nor a pull is let in", async () => {
  await docker(["logout", host]);
  assert.doesNotMatch(credentials(), new RegExp(`"${host}"`));
  assert.match(await refusedByDocker(["push", image]), /unauthorized|denied|no basic auth/);
  assert.match(await refusedByDocker(["pull", `${host}/team/copy:1`]), /unauthorized|denied|no basic auth/);
});
