/** Images from registries: Debian's docker-registry with a password, and one that breaks off and hangs. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { startDockerRegistry } from "../kit/docker-registry.ts";
import { HostileRegistry } from "../kit/hostile-registry.ts";
import { imageBlobs } from "../kit/image-archive.ts";
import { daemonForFile } from "../kit/machine-test.ts";
import { makeOciArchive } from "../kit/oci-archive.ts";
import { enterOwnNamespaces } from "../kit/own-namespaces.ts";
import { runProgram } from "../kit/programs.ts";
import { makeTar } from "../kit/tar-writer.ts";
import { until } from "../kit/until.ts";

/** Long enough for docker-registry, and short enough to be waited for. */
const pullTimeoutS = 8;
enterOwnNamespaces();
// What is registered first is stopped first: the daemon then finds nobody but itself.
const { host, stop } = await startDockerRegistry(5000);
after(stop);
const hostile = await HostileRegistry.start();
after(() => hostile.stop());
const uni = await daemonForFile({ env: { UNI_PULL_TIMEOUT: String(pullTimeoutS), HOME: "/nonexistent" } });
const local = (name: string) => join(uni.directory, name);

const policy = local("policy.json");
writeFileSync(policy, JSON.stringify({ default: [{ type: "insecureAcceptAnything" }] }));
const own = process.arch === "arm64" ? "arm64" : "amd64";
const shell = [{ name: "bin/" }, { name: "bin/sh", content: readFileSync("/bin/busybox"), mode: 0o755 }];

async function push(name: string, word: string): Promise<string> {
  const config = { Cmd: ["/bin/sh", "-c", "read a </word; echo $a"] };
  const layers = [shell, [{ name: "word", content: `${word}\n` }]];
  writeFileSync(local("image.tar"), makeOciArchive({ layers, config }));
  const to = ["--dest-tls-verify=false", "--dest-creds=me:secret", `docker://${host}/${name}`];
  const pushed = await runProgram("skopeo", [
    ...["--policy", policy, "--tmpdir", uni.directory, "copy", `oci-archive:${local("image.tar")}`],
    ...to,
  ]);
  assert.equal(pushed.code, 0, pushed.stderr);
  return `${host}/${name}`;
}

const printed = async (...args: readonly string[]) =>
  (await uni.ok(["run", "--attach", "--rm", ...args])).trim();
const login = () => uni.ok(["login", host, "-u", "me", "--password-stdin"], { stdin: "secret\n" });

test("a private image is pulled once somebody has logged in, and runs", async () => {
  const image = await push("team/web:1", "first");
  const refusal = await uni.refused(["pull", image]);
  assert.equal(refusal.code, "registry_denied");
  assert.match(refusal.hint ?? "", new RegExp(`uni login ${host}`));
  const wrong = ["login", host, "-u", "me", "--password-stdin"];
  assert.equal((await uni.refused(wrong, { stdin: "guess\n" })).code, "registry_denied");
  assert.equal(await login(), host);
  assert.match(await uni.ok(["registries", "ls"]), new RegExp(`${host} +me`));
  const { code, stdout, stderr } = await uni.uni(["pull", image]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`^sha256:[0-9a-f]{64}  ${image}\n$`));
  assert.match(stderr, /^[0-9a-f]{12}: received [\d.]+ [kM]?B$/m);
  assert.equal(await printed(image), "first");
});

test("run pulls what is not here; always pulls what has changed, and never pulls nothing", async () => {
  await login();
  const image = await push("team/app:1", "before");
  assert.equal((await uni.refused(["run", "--pull", "never", image])).code, "image_not_found");
  assert.equal(await printed(image), "before");
  await push("team/app:1", "after");
  assert.equal(await printed(image), "before");
  assert.equal(await printed("--pull", "always", image), "after");
  const missing = await uni.refused(["run", `${host}/team/app:2`]);
  assert.equal(missing.code, "image_not_found");
  assert.match(missing.hint ?? "", /team\/app:1/);
});

test("what docker login left in the user's home is enough", async () => {
  const image = await push("team/mine:1", "mine");
  await uni.uni(["logout", host]);
  const home = local("home");
  mkdirSync(join(home, ".docker"), { recursive: true });
  const auth = Buffer.from("me:secret").toString("base64");
  writeFileSync(join(home, ".docker", "config.json"), JSON.stringify({ auths: { [host]: { auth } } }));
  assert.equal((await uni.refused(["pull", image])).code, "registry_denied");
  await uni.ok(["pull", image], { env: { HOME: home } });
  assert.equal(await printed(image), "mine");
});

const create = async (body: object) => {
  const { status, body: answer } = await uni.rest("POST", "/instances", {
    autostart: true,
    memory_mb: 256,
    ...body,
  });
  assert.equal(status, 200, JSON.stringify(answer));
  return answer.data.instances[0];
};
const get = async (uuid: string) => (await uni.rest("GET", `/instances/${uuid}`)).body.data.instances[0];
const stopped = (uuid: string) =>
  until("the instance has stopped", async () => {
    const instance = await get(uuid);
    return instance.state === "stopped" && instance.stop_code !== undefined ? instance : undefined;
  });

test("an image stated as an object, and that of a ROM, are pulled at the first start; nobody is shown the secret", async () => {
  await uni.uni(["logout", host]);
  const url = await push("team/object:1", "object");
  const rom = await push("team/rom:1", "from the ROM");
  const made = await create({
    name: "object",
    image: { url, credentials: "me:secret", headers: { "X-Team": "blue" } },
    roms: [{ name: "data", at: "/data", image: { url: rom, credentials: "me:secret" } }],
    args: ["/bin/sh", "-c", "read a </word; read b </data/word; echo $a, $b"],
  });
  assert.equal(made.image, url, "its digest is not known yet");
  assert.equal(made.roms[0].image, rom);
  const ended = await stopped(made.uuid);
  assert.equal(ended.exit_code, 0, JSON.stringify(ended));
  assert.equal(await uni.ok(["logs", "object"]), "object, from the ROM");
  assert.match(ended.image, new RegExp(`^${host}/team/object:1@sha256:`));
  assert.match(ended.roms[0].image, /@sha256:/);
  const shown = [JSON.stringify(made), JSON.stringify(ended), await uni.ok(["inspect", "object"])].join();
  assert.ok(!/secret|X-Team/.test(shown));
  await uni.ok(["start", "object"]);
  await uni.ok(["rm", "-f", "object"]);
  for (const name of ["unid.log", "d/uni.db", "d/uni.db-wal"]) {
    const content = readFileSync(local(name), "latin1");
    assert.ok(name !== "unid.log" || !content.includes("me:secret"), name);
  }
});

test("an image that cannot be had: stopped with code 1 and a reason, and no restart", async () => {
  const made = await create({ name: "none", image: `${host}/team/none:1`, restart_policy: "always" });
  const ended = await stopped(made.uuid);
  assert.deepEqual([ended.stop_code, ended.restart_count, ended.restart], [1, 0, undefined]);
  assert.match(ended.exit_reason, /pull 127\.0\.0\.1:5000\/team\/none:1/);
  const never = await uni.rest("POST", "/instances", { image: { url: "none", pull_policy: "never" } });
  assert.equal(never.body.data.instances[0].code, "image_not_found");
  await uni.ok(["rm", "none"]);
});

test("a registry that hangs: the time that instances wait for images is bounded", async () => {
  const hang = ({ path }: { readonly path: string }) => path.includes("/hanging/");
  hostile.intercepts.push(hang);
  const made = await create({ name: "waits", image: `${hostile.host}/hanging/web:1` });
  const ended = await stopped(made.uuid);
  assert.equal(ended.stop_code, 1);
  assert.match(ended.exit_reason, new RegExp(`not done within ${pullTimeoutS * 1000} ms`));
  await uni.ok(["rm", "waits"]);
});

test("killed in the middle of a pull, the daemon goes on where it was", async () => {
  const content = randomBytes(8 << 20);
  const layer = makeTar([{ name: "large", content }]);
  const blobs = imageBlobs({ layers: [layer], architecture: own, config: { Cmd: ["x"] } });
  hostile.add(blobs, "1");
  const digest = blobs[2]?.digest ?? "";
  let breaksOff = true;
  hostile.intercepts.push(({ path }, response) => {
    if (!path.endsWith(digest) || !breaksOff) return false;
    response.writeHead(200, { "content-length": layer.length });
    response.write(layer.subarray(0, 6 << 20));
    return true;
  });
  const image = `${hostile.host}/large:1`;
  const pulling = uni.startUni(["pull", image]);
  const partial = local(`d/images/partial/${digest.slice(7)}`);
  await until("most of the layer has come", () => {
    try {
      return readFileSync(partial).length >= 5 << 20;
    } catch {
      return false;
    }
  });
  await uni.kill();
  assert.notEqual((await pulling.ended).code, 0);
  await uni.start();
  breaksOff = false;
  await uni.ok(["pull", image]);
  const ranges = hostile.seen.filter(({ path }) => path.endsWith(digest)).map(({ headers }) => headers.range);
  assert.equal(ranges.length, 2);
  assert.ok(Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? "")?.[1]) >= 5 << 20, ranges[1]);
});
