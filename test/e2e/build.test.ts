/** What people build, run in machines: Kraftfiles with ROMs, and dynamic programs with their libraries. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { agentMessage, compileAskAgent, startEmptyAgent } from "../kit/ask-agent.ts";
import { daemonForFile } from "../kit/machine-test.ts";
import { runProgram } from "../kit/programs.ts";
import { until } from "../kit/until.ts";
import { startUploadRegistry } from "../kit/upload-registry.ts";

const uni = await daemonForFile();
const local = (name: string) => join(uni.directory, name);
const attached = async (image: string, args: readonly string[] = []) => {
  const { code, stdout } = await uni.uni(["run", "--attach", "--rm", image, ...args]);
  return { code, stdout };
};

test("a Kraftfile with a Dockerfile, labels and a ROM: the example runs as its README says", async () => {
  const built = await uni.json(["build", "examples/kraftfile"]);
  assert.deepEqual(
    built.map(({ references }: { references: string[] }) => references),
    [["greeter:latest"], ["greeter-words:latest"]],
  );
  const rom = "name=words,image=greeter-words,at=/words";
  await uni.ok(["run", "--name", "greeter", "--rom", rom, "greeter"]);
  const { private_ip: address, scale_to_zero: sleep } = await uni.json(["inspect", "greeter"]);
  assert.deepEqual([sleep.policy, sleep.stateful], ["idle", true]);
  const answer = await until("the greeter answers", async () => {
    const { code, stdout } = await runProgram("curl", [
      ...["-fsS", "--noproxy", "*", "--max-time", "10"],
      `http://${address}:8080/`,
    ]);
    return code === 0 && stdout;
  });
  assert.equal(answer, "Good morning\n");
  await uni.ok(["rm", "-f", "greeter"]);
});

test("the command of a Kraftfile is the whole one, and its environment is added", async () => {
  const place = local("app");
  mkdirSync(place);
  copyFileSync("/bin/busybox", join(place, "busybox"));
  writeFileSync(
    join(place, "Dockerfile"),
    'FROM scratch\nCOPY busybox /bin/\nENV A=docker B=docker\nENTRYPOINT ["/bin/busybox", "false"]\n',
  );
  writeFileSync(
    join(place, "kraft.yaml"),
    "spec: v0.6\nrootfs: ./Dockerfile\ncmd: /bin/busybox sh -c 'echo $A $B'\nenv: [A=kraft]\n",
  );
  await uni.ok(["build", place]);
  assert.deepEqual(await attached("app"), { code: 0, stdout: "kraft docker\n" });
  assert.deepEqual(await attached("app", ["/bin/busybox", "echo", "mine"]), { code: 0, stdout: "mine\n" });
});

test("a runtime with files is the root, or lies below it; a kernel alone runs what a ROM brings", async () => {
  const place = local("runtime");
  mkdirSync(join(place, "top/etc"), { recursive: true });
  mkdirSync(join(place, "code"));
  writeFileSync(join(place, "top/etc/motd"), "on top\n");
  copyFileSync("/bin/busybox", join(place, "code/busybox"));
  const built = async (name: string, text: string) => {
    writeFileSync(join(place, `${name}.Kraftfile`), `spec: v0.7\nname: ${name}\n${text}`);
    await uni.ok(["build", join(place, `${name}.Kraftfile`)]);
  };
  await built("whole", "runtime: app:latest\nenv: {B: whole}\n");
  assert.deepEqual(await attached("whole"), { code: 0, stdout: "kraft whole\n" });
  await built("named", "rootfs: {source: {type: oci, path: app}}\ncmd: [/bin/busybox, echo, named]\n");
  assert.deepEqual(await attached("named"), { code: 0, stdout: "named\n" });
  await built("stacked", "runtime: app\nrootfs: top\ncmd: [/bin/busybox, cat, /etc/motd]\n");
  assert.deepEqual(await attached("stacked"), { code: 0, stdout: "on top\n" });
  await built(
    "bare",
    "runtime: base-compat:latest\ncmd: [/code/busybox, echo, from a ROM]\nroms: [{name: code, source: code}]\n",
  );
  const rom = ["--rom", "name=code,image=bare-code,at=/code"];
  const { code, stdout } = await uni.uni(["run", "--attach", "--rm", ...rom, "bare"]);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "from a ROM\n" });
});

test("a dynamic program runs with its libraries: C by glibc and musl, and python3 with what is included", async () => {
  writeFileSync(
    local("dynamic.c"),
    '#include <math.h>\n#include <stdio.h>\nint main(int c, char **v) { printf("%.1f\\n", sqrt(c * 8)); return 3; }\n',
  );
  for (const compiler of ["gcc", "musl-gcc"]) {
    const flags = ["-Wl,--no-as-needed", "-o", local(compiler), local("dynamic.c"), "-lm"];
    const compiled = await runProgram(compiler, flags);
    assert.equal(compiled.code, 0, compiled.stderr);
    await uni.ok(["build", local(compiler), "--with-libs"]);
    assert.deepEqual(await attached(compiler, ["x"]), { code: 3, stdout: "4.0\n" }, compiler);
  }

  const version = (
    await runProgram("python3", ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
  ).stdout.trim();
  const library = `/usr/lib/python${version}`;
  await uni.ok(["build", "/usr/bin/python3", "--with-libs", "--include", library]);
  const script = "import json, math; print(json.dumps([math.sqrt(16)]))";
  assert.deepEqual(await attached("python3", ["-c", script]), { code: 0, stdout: "[4.0]\n" });
});

test("a further context, a secret, a key and an agent serve a build; no secret is in an argument, environment, log or layer", async () => {
  const place = local("inputs");
  mkdirSync(join(place, "app"), { recursive: true });
  mkdirSync(join(place, "shared"));
  copyFileSync("/bin/busybox", join(place, "app/busybox"));
  writeFileSync(join(place, "shared/motd"), "from beside\n");
  writeFileSync(join(place, "token"), "s3cr3t-t0k3n");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = privateKey.export({ type: "pkcs1", format: "pem" }).toString();
  writeFileSync(join(place, "key"), key, { mode: 0o600 });
  const seen = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null >/seen";
  const used = '[ -S "$SSH_AUTH_SOCK" ] && wc -c </run/secrets/token >/length';
  writeFileSync(
    join(place, "app/Dockerfile"),
    `FROM scratch
COPY busybox /bin/
RUN ["/bin/busybox", "--install", "/bin"]
COPY --from=shared motd /motd
RUN --mount=type=secret,id=token --mount=type=ssh ${seen}; ${used}
COPY ask /bin/
RUN --mount=type=ssh,id=mine ask >/agent
`,
  );
  writeFileSync(join(place, "app/ask"), compileAskAgent(), { mode: 0o755 });
  const agent = await startEmptyAgent(join(place, "agent"));
  const env = { SSH_AUTH_SOCK: join(place, "agent") };
  const args = [
    ...["build", join(place, "app"), "-t", "inputs", "--build-context", `shared=${join(place, "shared")}`],
    ...["--secret", `id=token,src=${join(place, "token")}`, "--ssh", `default=${join(place, "key")}`],
    ...["--ssh", "mine"],
  ];
  await uni.ok(args, { env });
  agent.close();
  assert.ok(agent.got.length > 0);
  assert.ok(agent.got.every((type) => type === agentMessage.requestIdentities));
  const cat = (name: string) => uni.ok(["image", "cat", `inputs:${name}`]);
  assert.equal(await cat("/motd"), "from beside");
  assert.equal((await cat("/length")).trim(), "12");
  assert.equal(await cat("/agent"), "12 0");
  assert.match(await cat("/seen"), /--secret\0id=token,src=/);
  // Disks of machines are large, and not a build's.
  const places = [...["images", "uni.db"].map((name) => join(uni.dataDirectory, name)), uni.logPath];
  for (const word of ["s3cr3t-t0k3n", key.split("\n")[3] ?? ""]) {
    const { code, stdout } = await runProgram("grep", ["-rlaF", word, ...places]);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.ok(!(await cat("/seen")).includes(word));
  }
});

test("what is built goes to a registry and into an archive, and comes back from both", async () => {
  const { registry } = await startUploadRegistry();
  try {
    const place = local("out");
    mkdirSync(join(place, "bin"), { recursive: true });
    copyFileSync("/bin/busybox", join(place, "bin/sh"));
    writeFileSync(
      join(place, "Kraftfile"),
      "spec: v0.7\nrootfs: {source: {type: dir, path: .}}\ncmd: [/bin/sh, -c, echo there]\n",
    );
    const reference = `${registry.host}/team/out:1`;
    await uni.ok(["build", place, "-o", reference, "-o", local("out.tar")]);
    assert.ok(registry.manifests.has("1"));
    await uni.ok(["rmi", reference]);
    await uni.ok(["pull", reference]);
    assert.deepEqual(await attached(reference), { code: 0, stdout: "there\n" });
    await uni.ok(["rmi", reference]);
    await uni.ok(["load", local("out.tar"), "-t", "again"]);
    assert.deepEqual(await attached("again"), { code: 0, stdout: "there\n" });
    const listed = await runProgram("skopeo", ["inspect", "--raw", `oci-archive:${local("out.tar")}`]);
    assert.equal(listed.code, 0, listed.stderr);
  } finally {
    await registry.stop();
  }
});
