/** Where images come from, and what is refused. Every refusal leaves the list of images as it was. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { buildBusybox, daemonForFile, idle, runScript } from "../kit/machine-test.ts";
import { makeOciArchive, type OciImage } from "../kit/oci-archive.ts";
import { runProgram } from "../kit/programs.ts";
import type { TarMember } from "../kit/tar-writer.ts";

const uni = await daemonForFile();
await buildBusybox(uni);

const local = (name: string) => join(uni.directory, name);
const shell: TarMember[] = [
  { name: "bin/" },
  { name: "bin/busybox", content: readFileSync("/bin/busybox"), mode: 0o755 },
  { name: "bin/sh", type: "2", link: "busybox" },
];

function archive(name: string, image: OciImage): string {
  const path = local(name);
  writeFileSync(path, makeOciArchive(image));
  return path;
}

const attached = async (image: string, args: readonly string[] = []) => {
  const { code, stdout } = await uni.uni(["run", "--attach", "--rm", image, ...args]);
  return { code, stdout };
};

async function compile(
  name: string,
  source: string,
  flags: readonly string[],
  compiler = "musl-gcc",
): Promise<string> {
  writeFileSync(local(`${name}.c`), source);
  const { code, stderr } = await runProgram(compiler, [...flags, "-o", local(name), local(`${name}.c`)]);
  assert.equal(code, 0, stderr);
  return local(name);
}

test("an OCI archive is loaded, and its entry point, command and environment hold", async () => {
  const config = {
    Entrypoint: ["/bin/sh", "-c", 'echo "$0 $1 $A"'],
    Cmd: ["by", "default"],
    Env: ["A=b", "PATH=/bin"],
  };
  await uni.ok(["load", archive("good.tar", { layers: [shell], config }), "-t", "loaded"]);
  assert.deepEqual(await attached("loaded"), { code: 0, stdout: "by default b\n" });
  assert.deepEqual(await attached("loaded", ["of", "mine"]), { code: 0, stdout: "of mine b\n" });
});

test("a docker archive is loaded", async () => {
  const oci = archive("for-docker.tar", {
    layers: [shell],
    config: { Cmd: ["/bin/sh", "-c", "echo docker"] },
  });
  const copied = await runProgram("skopeo", [
    ...["copy", "--insecure-policy", `oci-archive:${oci}`],
    `docker-archive:${local("docker.tar")}:from-docker:v1`,
  ]);
  assert.equal(copied.code, 0, copied.stderr);
  await uni.ok(["load", local("docker.tar")]);
  assert.equal((await attached("from-docker:v1")).stdout, "docker\n");
});

test("a higher layer removes, replaces and hides", async () => {
  const lower: TarMember[] = [
    ...shell,
    { name: "gone", content: "x" },
    { name: "kept", content: "lower" },
    { name: "opaque/" },
    { name: "opaque/old", content: "x" },
  ];
  const upper: TarMember[] = [
    { name: ".wh.gone" },
    { name: "kept", content: "upper" },
    { name: "opaque/" },
    { name: "opaque/.wh..wh..opq" },
    { name: "opaque/new", content: "x" },
  ];
  await uni.ok(["load", archive("layers.tar", { layers: [lower, upper] }), "-t", "layered"]);
  const script = "for f in /gone /kept /opaque/*; do [ -e $f ] && echo $f; done; read a </kept; echo $a";
  assert.equal((await attached("layered", ["/bin/sh", "-c", script])).stdout, "/kept\n/opaque/new\nupper\n");
});

test("a static program becomes an image", async () => {
  const program = await compile(
    "answer",
    '#include <stdio.h>\nint main(int c, char **v) { printf("%d %s\\n", c, v[1]); return 42; }',
    ["-static"],
  );
  await uni.ok(["build", program, "-t", "answer"]);
  assert.deepEqual(await attached("answer", ["hello"]), { code: 42, stdout: "2 hello\n" });
});

test("a dynamic program is refused, and its libraries are named", async () => {
  const program = await compile("dynamic", "int main(void) { return 0; }", [], "gcc");
  const refusal = await uni.refused(["build", program, "-t", "dynamic"]);
  assert.equal(refusal.code, "elf_dynamic");
  assert.match(refusal.message, /libc\.so/);
  assert.match(refusal.hint ?? "", /static/);
});

test("a Dockerfile is built, with arguments and the failing step told", async () => {
  const context = local("context");
  mkdirSync(context);
  await runProgram("cp", ["/bin/busybox", join(context, "busybox")]);
  const lines = [
    "FROM scratch",
    "ARG WORD=none",
    "COPY busybox /bin/sh",
    "ENV WORD=$WORD",
    'CMD ["/bin/sh", "-c", "echo $WORD"]',
  ];
  writeFileSync(join(context, "Dockerfile"), lines.join("\n"));
  await uni.ok(["build", context, "-t", "built", "--build-arg", "WORD=given"]);
  assert.equal((await attached("built")).stdout, "given\n");
  writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY missing /x\n");
  const refusal = await uni.refused(["build", context, "-t", "broken"]);
  assert.equal(refusal.code, "build_failed");
  assert.match(refusal.message, /COPY missing/);
});

const outside = `/tmp/escaped-${process.pid}`;
const hostile: Record<string, { image: OciImage; code: RegExp }> = {
  "a layer that climbs out by ..": {
    image: { layers: [[{ name: `../../../../../..${outside}`, content: "x" }]] },
    code: /image_unsafe/,
  },
  "a layer that writes through a symlink to the host": {
    image: {
      layers: [
        [{ name: "a", type: "2", link: "../../../../../../tmp" }],
        [{ name: "a/../../x", content: "x" }],
      ],
    },
    code: /image_unsafe/,
  },
  "a layer whose bytes are not those of its digest": {
    image: {
      // One that is not in the store already: that would not be read again.
      layers: [[...shell, { name: "new", content: "x" }]],
      spoil: (kind, bytes) => (kind === "layer" ? Buffer.from(bytes).fill(7, 20, 24) : bytes),
    },
    code: /digest_mismatch/,
  },
  "a manifest that is no JSON": {
    image: { layers: [shell], spoil: (kind, bytes) => (kind === "manifest" ? Buffer.from("{") : bytes) },
    code: /digest_mismatch|image_invalid/,
  },
  "an image for another machine": {
    image: { layers: [shell], architecture: "s390x" },
    code: /image_invalid/,
  },
};

for (const [what, { image, code }] of Object.entries(hostile)) {
  test(`refused: ${what}`, async () => {
    const before = await uni.ok(["images", "-q"]);
    const refusal = await uni.refused(["load", archive("hostile.tar", image), "-t", "hostile"]);
    assert.match(refusal.code, code);
    assert.equal(await uni.ok(["images", "-q"]), before);
    assert.ok(!existsSync(outside));
  });
}

test("a symlink of one layer stays inside the image for the next", async () => {
  const layers: TarMember[][] = [
    [...shell, { name: "etc/" }, { name: "link", type: "2", link: "/etc" }],
    [{ name: "link/through", content: "inside\n" }],
  ];
  const loaded = await uni.uni(["load", archive("link.tar", { layers }), "-t", "linked"]);
  assert.ok(!existsSync("/etc/through"));
  if (loaded.code !== 0) return;
  assert.equal(
    (await attached("linked", ["/bin/sh", "-c", "read a </link/through; echo $a"])).stdout,
    "inside\n",
  );
});

test("refused: bytes that are no archive, and an archive that ends early", async () => {
  writeFileSync(local("noise"), randomBytes(100_000));
  assert.equal((await uni.refused(["load", local("noise"), "-t", "noise"])).code, "image_invalid");
  const whole = readFileSync(archive("whole.tar", { layers: [shell] }));
  writeFileSync(local("half"), whole.subarray(0, whole.length >> 1));
  assert.match(
    (await uni.refused(["load", local("half"), "-t", "half"])).code,
    /image_invalid|digest_mismatch/,
  );
});

test("an image that is not there is refused, with the nearest name", async () => {
  const refusal = await uni.refused(["run", "busibox"]);
  assert.equal(refusal.code, "unreachable", "it may be anybody's, and nobody can be asked");
  assert.match(refusal.hint ?? "", /busybox/);
  assert.equal((await uni.refused(["run", "--pull", "never", "busybox:none"])).code, "image_not_found");
  assert.deepEqual(await uni.json(["ps", "-a"]), []);
});

test("an image in use stays; a name more or less does not matter", async () => {
  await runScript(uni, "user", idle);
  const refusal = await uni.refused(["rmi", "busybox"]);
  assert.equal(refusal.code, "in_use");
  assert.match(`${refusal.message}${refusal.hint ?? ""}`, /user/);
  await uni.ok(["tag", "busybox", "other:name"]);
  await uni.ok(["rmi", "other:name"]);
  await uni.ok(["rm", "-f", "user"]);
  await uni.ok(["rmi", "busybox"]);
  assert.equal((await uni.refused(["run", "--pull", "never", "busybox"])).code, "image_not_found");
});
