import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { frameKinds } from "@uni/contract/stream-frames";
import { extract } from "tar-stream";
import { agentMessage, startEmptyAgent } from "../../../../test/kit/ask-agent.ts";
import { type Params, Stream, upload } from "../../../../test/kit/fake-daemon.ts";
import { talk } from "../../../../test/kit/run-uni.ts";

const image = { digest: "sha256:11", references: ["app:1"] };
let directory = "";

before(() => {
  directory = mkdtempSync(join(tmpdir(), "uni-build-"));
  mkdirSync(join(directory, "app/src"), { recursive: true });
  writeFileSync(join(directory, "app/Dockerfile"), "FROM scratch\n");
  writeFileSync(join(directory, "app/.dockerignore"), "ignored\n");
  writeFileSync(join(directory, "app/ignored"), "not sent");
  writeFileSync(join(directory, "app/src/run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  symlinkSync("src/run.sh", join(directory, "app/link"));
  writeFileSync(join(directory, "other.Dockerfile"), "FROM other\n");
  writeFileSync(join(directory, "secret"), "hush\u0000");
  writeFileSync(join(directory, "program"), Buffer.concat([Buffer.from("\u007fELF"), Buffer.alloc(100)]));
  writeFileSync(join(directory, "script"), "#!/bin/sh\n");
  mkdirSync(join(directory, "root/bin"), { recursive: true });
  mkdirSync(join(directory, "empty"));
});
after(() => rmSync(directory, { recursive: true }));

async function entriesOf(tar: Buffer): Promise<Map<string, { type: string; mode: number; text: string }>> {
  const entries = new Map();
  const parser = extract();
  Readable.from([tar]).pipe(parser as unknown as NodeJS.WritableStream);
  for await (const entry of parser) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry as unknown as AsyncIterable<Buffer>) chunks.push(chunk);
    const { name, type, mode, linkname } = entry.header;
    entries.set(name, { type, mode, text: type === "symlink" ? linkname : Buffer.concat(chunks).toString() });
  }
  return entries;
}

async function build(args: readonly string[]) {
  let sent: Buffer = Buffer.alloc(0);
  const script = {
    "Image.Build": () =>
      upload((bytes, peer) => {
        sent = bytes;
        peer.sendJson(frameKinds.progress, {
          step: "build",
          message: "STEP 1/1: FROM \u001b[31mscratch\u001b[0m\u0007",
        });
        return image;
      }),
  };
  const result = await talk(script, ["build", ...args], { cwd: directory, env: { MINE: "own" } });
  return { ...result, sent, params: result.calls[0]?.params as Params };
}

test("a context is sent with modes and links, but for what it ignores", async () => {
  const { code, stdout, stderr, sent, params } = await build(["app", "-t", "app:1"]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "sha256:11  app:1\n");
  assert.deepEqual(params, { kind: "context", reference: "app:1", dockerfile: "Dockerfile" });
  const entries = await entriesOf(sent);
  assert.equal(entries.get("src/run.sh")?.mode, 0o755);
  assert.deepEqual(entries.get("link")?.text, "src/run.sh");
  assert.equal(entries.get("ignored"), undefined);
  assert.equal(entries.get(".dockerignore")?.text, "ignored\n");
  assert.match(stderr, /^Sent the build context, \d+ B in 6 entries\.$/m);
  assert.match(stderr, /^STEP 1\/1: FROM scratch\\x07$/m);
});

test("a Dockerfile is sent whatever is ignored, and has an ignore file of its own", async () => {
  const place = join(directory, "strict");
  mkdirSync(join(place, "docker"), { recursive: true });
  mkdirSync(join(place, "src/deep"), { recursive: true });
  writeFileSync(join(place, "docker/Dockerfile"), "FROM scratch\n");
  writeFileSync(join(place, "docker/x"), "");
  writeFileSync(join(place, "src/deep/kept"), "");
  writeFileSync(join(place, "src/not"), "");
  writeFileSync(join(place, ".dockerignore"), "*\n!src/deep\n");
  const names = async () => {
    const { sent } = await build(["strict", "-f", "docker/Dockerfile"]);
    return [...(await entriesOf(sent)).keys()].sort();
  };
  assert.deepEqual(await names(), ["./", ".dockerignore", "docker/Dockerfile", "src/deep/", "src/deep/kept"]);
  writeFileSync(join(place, "docker/Dockerfile.dockerignore"), "src\ndocker/x\n");
  const entries = await entriesOf((await build(["strict", "-f", "docker/Dockerfile"])).sent);
  assert.equal(entries.get(".dockerignore")?.text, "src\ndocker/x\n");
  assert.deepEqual(
    [...entries.keys()].filter((name) => name.startsWith("src") || name.endsWith("/x")),
    [],
  );
});

test("build options", async () => {
  const { params } = await build([
    ...["app", "-t", "app", "--build-arg", "A=1", "--build-arg", "MINE", "--target", "last", "--no-cache"],
    ...["--secret", `id=token,src=${join(directory, "secret")}`],
  ]);
  assert.deepEqual(params, {
    kind: "context",
    reference: "app",
    dockerfile: "Dockerfile",
    target: "last",
    build_args: { A: "1", MINE: "own" },
    secrets: { token: Buffer.from("hush\u0000").toString("base64") },
    no_cache: true,
  });
});

test("further contexts go along whole, each by its own ignore file; keys by their contents", async () => {
  mkdirSync(join(directory, "shared/sub"), { recursive: true });
  for (const name of ["ignored", "left", "sub/kept"]) writeFileSync(join(directory, "shared", name), name);
  writeFileSync(join(directory, "shared/.dockerignore"), "left\n");
  const { params, sent } = await build([
    ...["app", "--build-context", "shared=shared", "--build-context", "rest=root"],
    ...["--ssh", `default=${join(directory, "secret")},other.Dockerfile`],
  ]);
  assert.deepEqual(params.contexts, ["shared", "rest"]);
  const names = [...(await entriesOf(sent)).keys()];
  const further = names.filter((name) => name.startsWith(".uni-contexts/")).sort();
  assert.deepEqual(further, [
    ".uni-contexts/rest/",
    ".uni-contexts/rest/bin/",
    ".uni-contexts/shared/",
    ".uni-contexts/shared/.dockerignore",
    ".uni-contexts/shared/ignored",
    ".uni-contexts/shared/sub/",
    ".uni-contexts/shared/sub/kept",
  ]);
  assert.ok(!names.includes("ignored"), "the main one has its own rules");
  const keys = ["hush\u0000", "FROM other\n"].map((text) => Buffer.from(text).toString("base64"));
  assert.deepEqual(params.ssh, { default: keys });
});

test("the own agent answers the steps of a build: its keys and signatures, nothing that changes it", async () => {
  const path = join(directory, "agent");
  const agent = await startEmptyAgent(path);
  const { requestIdentities, removeAll, identities, failure } = agentMessage;
  const answers: number[][] = [];
  const script = {
    "Image.Build": () =>
      new Stream(async (peer) => {
        for await (const { kind, payload } of peer.frames) {
          if (kind === frameKinds.agent) answers.push([...payload]);
          if (answers.length === 3) return image;
          const type = [requestIdentities, removeAll, requestIdentities][answers.length] ?? 0;
          if (kind === frameKinds.end || kind === frameKinds.agent)
            peer.send(frameKinds.agent, Uint8Array.of(type));
        }
        return undefined;
      }),
  };
  try {
    const options = { cwd: directory, env: { SSH_AUTH_SOCK: path } };
    const args = ["build", "app", "--ssh", "default", "--ssh", `other=${path}`];
    const { code, stderr, calls } = await talk(script, args, options);
    assert.equal(code, 0, stderr);
    assert.deepEqual(calls[0]?.params["ssh_agent"], ["default", "other"]);
    assert.deepEqual(answers, [[identities, 0, 0, 0, 0], [failure], [identities, 0, 0, 0, 0]]);
    assert.deepEqual(agent.got, [requestIdentities, requestIdentities]);
  } finally {
    agent.close();
  }
  const gone = await talk(script, ["build", "app", "--ssh", "x"], {
    cwd: directory,
    env: { SSH_AUTH_SOCK: path },
  });
  assert.equal(gone.code, 66);
  assert.match(gone.stderr, /there is no agent at/);
});

test("a Dockerfile from outside the context is sent along", async () => {
  const { params, sent } = await build(["app", "-f", "other.Dockerfile"]);
  assert.equal(params.dockerfile, ".uni-dockerfile");
  assert.equal((await entriesOf(sent)).get(".uni-dockerfile")?.text, "FROM other\n");
  const inside = await build(["app", "-f", "app/src/run.sh"]);
  assert.equal(inside.params.dockerfile, "src/run.sh");
});

test("a program is known by its magic bytes, and named after its file", async () => {
  const { params, sent } = await build(["./program"]);
  assert.deepEqual(params, { kind: "elf", reference: "program" });
  assert.equal(sent.subarray(1, 4).toString(), "ELF");
});

test("a directory that looks like a root is one, with its configuration", async () => {
  const { params, stderr } = await build([
    "root",
    "--entrypoint",
    '["/bin/app", "a b"]',
    "--cmd",
    "x y",
    "-e",
    "A=1",
  ]);
  assert.deepEqual(params, {
    kind: "root",
    reference: "root",
    config: { entrypoint: ["/bin/app", "a b"], cmd: ["x", "y"], env: { A: "1" } },
  });
  assert.match(stderr, /^Note: there is no Kraftfile and no Dockerfile in root, but (bin|usr|etc): /);
  const told = await build(["app", "--rootfs"]);
  assert.equal(told.params.kind, "root");
  assert.doesNotMatch(told.stderr, /^Note/);
});

test("what cannot be built is refused before anything is sent", async () => {
  for (const args of [
    ["script"],
    ["empty"],
    ["missing"],
    ["app", "-f", "nowhere"],
    ["app", "--secret", "src=x"],
    ["app", "--ssh", "default"],
    ["app", "--ssh", "default=nowhere"],
    ["app", "--build-context", "x=nowhere"],
    ["app", "--build-context", "x=secret"],
    ["app", "--build-context", "../x=root"],
    ["app", "--build-context", "x=https://example.com/x.git"],
    ["root", "--build-context", "x=root"],
    ["./program", "--target", "last"],
    ["root", "--no-cache"],
    ["app", "--with-libs"],
    ["app", "--platform", "linux/s390x"],
  ]) {
    const { code, stderr, calls } = await build(args);
    assert.ok(code === 64 || code === 66, args.join(" "));
    assert.match(stderr, /^Error: /);
    assert.equal(calls.length, 0);
  }
});

test("-o: to a registry and into an archive, also ROMs; and a format besides", async () => {
  writeFileSync(
    join(directory, "app/kraft.yml"),
    "spec: v0.7\nname: app\nrootfs: Dockerfile\nroms: [{name: data, source: src}]\n",
  );
  const script = {
    "Image.Build": (params: Params) =>
      upload(() => ({ digest: "sha256:11", references: [`${params.reference}`] })),
    "Image.Push": ({ destination }: Params) =>
      new Stream(async () => ({ reference: destination, digest: "sha256:11" })),
    "Image.Save": () =>
      new Stream(async (peer) => {
        peer.send(frameKinds.data, "archive");
        return { bytes: 7 };
      }),
  };
  const args = ["build", "app", "-o", "registry.example.com/team/web:2", "-o", "json", "-o", "out.tar"];
  const { code, stdout, stderr, calls } = await talk(script, args, { cwd: directory });
  rmSync(join(directory, "app/kraft.yml"));
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).length, 2);
  assert.equal(readFileSync(join(directory, "out.tar"), "utf8"), "archive");
  const names = ["registry.example.com/team/web:2", "registry.example.com/team/web-data:2"];
  const of = (method: string) => calls.filter((call) => call.method === method).map(({ params }) => params);
  assert.deepEqual(
    of("Image.Build").map(({ reference }) => reference),
    names,
  );
  assert.deepEqual(of("Image.Save"), [{ references: names, format: "oci" }]);
  assert.deepEqual(
    of("Image.Push"),
    names.map((name) => ({ reference: name, destination: name })),
  );
});

test("-o with -t: the image has its name here, and another one there", async () => {
  const script = {
    "Image.Build": () => upload(() => image),
    "Image.Push": ({ destination }: Params) =>
      new Stream(async () => ({ reference: destination, digest: "sha256:11" })),
  };
  const args = ["build", "app", "-t", "app:1", "-o", "registry.example.com/x"];
  const { code, stderr, calls } = await talk(script, args, { cwd: directory });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^Pushed registry\.example\.com\/x\.$/m);
  assert.deepEqual(calls[1]?.params, { reference: "app:1", destination: "registry.example.com/x" });
});

test("-o that is nothing of that is refused before anything is built", async () => {
  const { code, stderr, calls } = await build(["app", "-o", "jsn"]);
  assert.deepEqual([code, calls.length], [64, 0]);
  assert.match(stderr, /reading -o jsn: it is neither table, json nor yaml/);
});

test("a failed build shows its last lines, escaped, and its status", async () => {
  const script = {
    "Image.Build": () =>
      upload(() => {
        throw new UniError("build_failed", "building app: step 2 failed:\nmake: *** no \u001b[31mrule");
      }),
  };
  const { code, stdout, stderr } = await talk(script, ["build", "app"], { cwd: directory });
  assert.deepEqual([code, stdout], [65, ""]);
  assert.match(stderr, /Error: building app: step 2 failed:\nmake: \*\*\* no \\x1b\[31mrule\n$/);
});

test("a failed build does not show again what its progress has shown", async () => {
  const lines = ["make: step", "make: *** no rule"];
  const script = {
    "Image.Build": () =>
      upload((_bytes, peer) => {
        for (const message of lines) peer.sendJson(frameKinds.progress, { step: "build", message });
        throw new UniError("build_failed", ["building app: step 2 failed", "earlier", ...lines].join("\n"));
      }),
  };
  const { stderr } = await talk(script, ["build", "app"], { cwd: directory });
  assert.match(stderr, /make: \*\*\* no rule\nError: building app: step 2 failed\nearlier\n$/);
  const quiet = await talk(script, ["build", "-q", "app"], { cwd: directory });
  assert.match(
    quiet.stderr,
    /^Error: building app: step 2 failed\nearlier\nmake: step\nmake: \*\*\* no rule\n$/,
  );
});

test("a refusal in the middle of the upload is heard at once", async () => {
  writeFileSync(join(directory, "app/large"), Buffer.alloc(16 << 20));
  const script = {
    "Image.Build": () =>
      new Stream(async (peer) => {
        for await (const _ of peer.frames) break;
        throw new UniError("no_space", "storing the context: the disk is full");
      }),
  };
  const { code, stderr } = await talk(script, ["build", "app"], { cwd: directory });
  rmSync(join(directory, "app/large"));
  assert.equal(code, 74, stderr);
  assert.match(stderr, /the disk is full/);
});

test("load takes a file, a directory and standard input", async () => {
  const uploads: string[] = [];
  const script = {
    "Image.Load": () =>
      upload((bytes) => {
        uploads.push(bytes.toString("latin1"));
        return [image];
      }),
  };
  const file = await talk(script, ["load", "secret", "-t", "x:1"], { cwd: directory });
  assert.deepEqual([file.code, file.stdout], [0, "sha256:11  app:1\n"]);
  assert.deepEqual(file.calls[0]?.params, { reference: "x:1" });
  await talk(script, ["load", "-"], { input: "piped" });
  await talk(script, ["load", "app"], { cwd: directory });
  assert.equal(uploads[0], "hush\u0000");
  assert.equal(uploads[1], "piped");
  assert.ok(uploads[2]?.includes("Dockerfile"));
  assert.equal((await talk(script, ["load", "nowhere"], { cwd: directory })).code, 66);
});
