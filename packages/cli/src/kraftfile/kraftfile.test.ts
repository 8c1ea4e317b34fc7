/** Kraftfiles: what each key means, and what is refused, with its line. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, test } from "node:test";
import { UniError } from "@uni/contract/errors";
import fc from "fast-check";
import type { PlannedBuild } from "../build/planned.ts";
import { planKraftfile } from "./plan-kraftfile.ts";

let directory = "";
const local = (name: string) => join(directory, name);

before(() => {
  directory = mkdtempSync(join(tmpdir(), "uni-kraft-"));
  mkdirSync(local("rootfs/bin"), { recursive: true });
  mkdirSync(local("docker"));
  mkdirSync(local("data"));
  for (const name of ["Dockerfile", "app.Dockerfile", "docker/Dockerfile", "docker/other"]) {
    writeFileSync(local(name), "FROM scratch\n");
  }
  writeFileSync(local("server"), "#!/bin/sh\n");
  writeFileSync(
    local("root.tar"),
    Buffer.concat([Buffer.alloc(257), Buffer.from("ustar"), Buffer.alloc(2000)]),
  );
  writeFileSync(local("root.tgz"), Buffer.from("1f8b0800", "hex"));
  writeFileSync(local("root.cpio"), "070701".padEnd(2000, "0"));
  const erofs = Buffer.alloc(8192);
  erofs.writeUInt32LE(0xe0f5e1e2, 1024);
  writeFileSync(local("root.erofs"), erofs);
  symlinkSync("/etc", local("outward"));
  symlinkSync("rootfs", local("inward"));
});
after(() => rmSync(directory, { recursive: true }));

function plan(text: string, tag?: string) {
  writeFileSync(local("Kraftfile"), text);
  return planKraftfile(local("Kraftfile"), { tag, architecture: "amd64" });
}

const only = (text: string): PlannedBuild => {
  const { builds } = plan(`spec: v0.7\n${text}`);
  assert.equal(builds.length, 1);
  return builds[0];
};

function refused(text: string): UniError {
  try {
    plan(text);
  } catch (error) {
    assert.ok(error instanceof UniError, String(error));
    return error;
  }
  throw new Error(`not refused: ${text}`);
}

test("the usual one: a Dockerfile, a command and environment for Uni's kernel", () => {
  const { builds, notes } = plan(`
spec: v0.7
name: httpserver
runtime: base-compat:latest
rootfs:
  source: ./Dockerfile
  format: erofs
cmd: ["/usr/bin/python3", "/src/server.py"]
env:
  PORT: 8080
  VERSION: 1.10
  DEBUG: true
labels:
  cloud.unikraft.v1.instances/scale_to_zero.policy: "on"
targets: [kraftcloud/x86_64, {plat: kraftcloud, arch: arm64}]
`);
  assert.deepEqual(notes, []);
  assert.deepEqual(builds, [
    {
      reference: "httpserver",
      params: {
        kind: "context",
        dockerfile: "Dockerfile",
        config: {
          entrypoint: [],
          cmd: ["/usr/bin/python3", "/src/server.py"],
          env: { PORT: "8080", VERSION: "1.10", DEBUG: "true" },
          labels: { "cloud.unikraft.v1.instances/scale_to_zero.policy": "on" },
        },
      },
      upload: { kind: "tree", path: directory, extra: [] },
      what: "the build context",
    },
  ]);
});

const sources: readonly (readonly [rootfs: string, params: object, upload: object])[] = [
  ["./rootfs", { kind: "root" }, { kind: "tree", path: "rootfs", asRoot: true }],
  ["inward", { kind: "root" }, { kind: "tree", path: "inward", asRoot: true }],
  ["server", { kind: "root" }, { kind: "files", files: [{ path: "server", name: "server" }] }],
  ["root.tar", { kind: "root" }, { kind: "file", path: "root.tar" }],
  ["root.tgz", { kind: "root" }, { kind: "file", path: "root.tgz" }],
  ["root.cpio", { kind: "root" }, { kind: "file", path: "root.cpio" }],
  ["root.erofs", { kind: "root" }, { kind: "file", path: "root.erofs" }],
  ["{source: root.cpio, format: cpio}", { kind: "root" }, { kind: "file", path: "root.cpio" }],
  [
    "{source: {type: file, path: root.tar}}",
    { kind: "root" },
    { kind: "files", files: [{ path: "root.tar", name: "root.tar" }] },
  ],
  ["{source: {type: oci, path: 'nginx:1'}}", { kind: "image", image: "nginx:1" }, { kind: "nothing" }],
  ["[rootfs]", { kind: "root" }, { kind: "tree", path: "rootfs", asRoot: true }],
  [
    "app.Dockerfile",
    { kind: "context", dockerfile: "app.Dockerfile" },
    { kind: "tree", path: "", extra: [] },
  ],
  [
    "docker/Dockerfile",
    { kind: "context", dockerfile: "docker/Dockerfile" },
    { kind: "tree", path: "", extra: [] },
  ],
  [
    "{source: {type: dockerfile, path: docker}}",
    { kind: "context", dockerfile: "Dockerfile" },
    { kind: "tree", path: "docker", extra: [] },
  ],
  [
    "{source: {path: docker, dockerfile: docker/other}, type: erofs}",
    { kind: "context", dockerfile: "other" },
    { kind: "tree", path: "docker", extra: [] },
  ],
  [
    "{source: {path: data, dockerfile: app.Dockerfile}}",
    { kind: "context", dockerfile: ".uni-dockerfile" },
    { kind: "tree", path: "data", extra: [{ path: "app.Dockerfile", name: ".uni-dockerfile" }] },
  ],
];

/** Paths of the expectation counted from the Kraftfile. */
const placed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(placed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key,
      key === "path" ? join(directory, each).replace(/\/$/, "") : placed(each),
    ]),
  );
};

for (const [rootfs, params, upload] of sources) {
  test(`rootfs: ${rootfs}`, () => {
    const build = only(`rootfs: ${rootfs}`);
    assert.deepEqual(build.params, { ...params, config: {} });
    assert.deepEqual(build.upload, placed(upload));
  });
}

test("a command is a list, or a line that is split as a shell would", () => {
  const command = (text: string) => only(`runtime: base-compat\ncmd: ${text}`).params.config?.cmd;
  assert.deepEqual(command("[/server, -p, 80]"), ["/server", "-p", "80"]);
  assert.deepEqual(command(`/server 'a b' "c \\"d\\"" e\\ f ''`), ["/server", "a b", 'c "d"', "e f", ""]);
  assert.deepEqual(command(`["--", "/server"]`), ["/server"]);
});

test("environment and labels are maps or lists", () => {
  const { config } = only("runtime: base\nenv: [A=1, B=x=y, C=]\nlabels: [a/b.c-d_e=v]").params;
  assert.deepEqual(config, { env: { A: "1", B: "x=y", C: "" }, labels: { "a/b.c-d_e": "v" } });
});

test("runtimes: a kernel is Uni's own; another image lies below, or is the root itself", () => {
  for (const runtime of [
    "base-compat:latest",
    "official/base-compat-dbg",
    "registry.example.com/base:1",
    "base",
  ]) {
    const { params } = only(`runtime: ${runtime}\nrootfs: rootfs`);
    assert.equal(params.base, undefined, runtime);
  }
  assert.equal(only("runtime: python:3.12\nrootfs: rootfs").params.base, "python:3.12");
  assert.equal(only("runtime: {source: python, version: 3.10}\nrootfs: rootfs").params.base, "python:3.10");
  assert.deepEqual(only("runtime: node:22\ncmd: [x]").params, {
    kind: "image",
    image: "node:22",
    config: { entrypoint: [], cmd: ["x"] },
  });
  assert.deepEqual(only("runtime: base-compat\ncmd: [/code/run]").upload, { kind: "files", files: [] });
});

test("a ready kernel is left out with a note; it goes with one target", () => {
  const kernel = "unikraft: {type: kernel, source: ./kernel}\ntargets: [kraftcloud/x86_64]";
  const { builds, notes } = plan(`spec: v0.7\n${kernel}\nrootfs: rootfs`);
  assert.equal(builds[0].params.kind, "root");
  assert.match(notes.join(), /line 2: unikraft\.source: this kernel is left out/);
});

test("ROMs are images beside the root's; one alone has the name itself", () => {
  const names = (text: string, tag?: string) => plan(text, tag).builds.map(({ reference }) => reference);
  const roms = "roms:\n  - {name: My_Data, source: data}\n  - ./root.erofs";
  assert.deepEqual(names(`spec: 0.7\nname: app\n${roms}\nrootfs: rootfs`, "team/app:2"), [
    "team/app:2",
    "team/app-my-data:2",
    "team/app-root-erofs:2",
  ]);
  const { builds } = plan(
    "spec: v0.7.0\nname: data\nruntime: base-compat\nroms: [{source: data}]\ntargets: [kraftcloud/amd64]",
  );
  assert.equal(builds.length, 1);
  assert.equal(builds[0].reference, "data");
  assert.deepEqual(builds[0].params, { kind: "root", config: { entrypoint: [], cmd: [] } });
});

test("the name is the option's, the file's, or the directory's", () => {
  const text = (name: string) => `spec: v0.7\n${name}rootfs: rootfs`;
  assert.equal(plan(text("name: My App\n")).builds[0].reference, "my-app");
  assert.equal(plan(text("name: app\n"), "other:1").builds[0].reference, "other:1");
  assert.match(plan(text("")).builds[0].reference, /^uni-kraft-/);
});

test("older files are read with a note, and keys that are not known are told", () => {
  assert.match(plan("spec: v0.5\nname: x\nrootfs: rootfs").notes.join(), /line 1: spec: older than v0\.6/);
  assert.deepEqual(plan("specification: v0.6\nrootfs: rootfs").notes, []);
  const { notes } = plan("spec: v0.7\nrootfs:\n  source: rootfs\n  colour: red\noutdir: x\nnmae: y");
  assert.equal(notes.length, 3);
  assert.match(notes.join("\n"), /line 4: rootfs\.colour: this key is not known/);
  assert.match(notes.join("\n"), /line 5: outdir: this key has no effect/);
  assert.match(notes.join("\n"), /line 6: nmae: this key is not known/);
});

const wrong: readonly (readonly [text: string, message: RegExp])[] = [
  ["rootfs: rootfs", /line 1: it has neither 'spec' nor 'specification'/],
  ["spec: v0.7\nspecification: v0.7", /line 2: specification: .*already/],
  ["spec: v0.8\nrootfs: rootfs", /line 1: spec: version v0\.8 is newer/],
  ["spec: latest\nrootfs: rootfs", /line 1: spec: 'latest' is no version/],
  ["spec: v0.7\nlibraries:\n  musl: stable", /line 2: libraries: not supported/],
  ["spec: v0.7\nvolumes: ['a:/b']", /line 2: volumes: not supported/],
  ["spec: v0.7\ntemplate: app", /line 2: template: not supported/],
  ["spec: v0.7\nunikraft: stable", /line 2: unikraft: not supported: .*from source/],
  ["spec: v0.7\nunikraft: {source: x, version: stable}", /line 2: unikraft: not supported/],
  ["spec: v0.7\nunikraft: {type: kernel, source: x}\nruntime: y", /line 2: unikraft: .*'runtime'/],
  ["spec: v0.7\nunikraft: {type: kernel, source: x}\nrootfs: rootfs", /exactly one of 'targets'/],
  ["spec: v0.7\nunikraft: {type: kernel, source: x}\ntargets: [a/amd64]", /without a root file system/],
  [
    "spec: v0.7\nruntime: base\ntargets: [fc/arm64, {platform: qemu, architecture: arm}]",
    /\(fc\/arm64, qemu\/arm\) is for amd64/,
  ],
  [
    "spec: v0.7\nruntime: base\ntargets: [{plat: a, arch: amd64, kconfig: {}}]",
    /line 3: targets\[0\]\.kconfig: not supported/,
  ],
  ["spec: v0.7\nruntime: base\ntargets: [amd64]", /line 3: targets\[0\]: 'amd64' is not of the form/],
  ["spec: v0.7\nname: empty", /there is nothing to build in it/],
  [
    "spec: v0.7\nruntime: base\ncmd: [netdev.ip=1, --, /server]",
    /line 3: cmd: what stands before -- is for the kernel/,
  ],
  ["spec: v0.7\nruntime: base\ncmd: /server 'a", /line 3: cmd: a quote/],
  ["spec: v0.7\nruntime: base\nenv: {A: }", /line 3: env\.A: it is not a word/],
  ["spec: v0.7\nruntime: base\nenv: [A]", /line 3: env\[0\]: 'A' is not of the form KEY=VALUE/],
  ["spec: v0.7\nruntime: base\nlabels: {a b: c}", /line 3: labels: 'a b' is no name/],
  [
    "spec: v0.7\nruntime: base\nlabels: {cloud.unikraft.v1.instances/scale_to_zero.policy: maybe}",
    /line 3: labels: .*'maybe' is not off, on, idle/,
  ],
  [
    "spec: v0.7\nrootfs: {source: rootfs, format: ext4}",
    /line 2: rootfs\.format: 'ext4' is none of cpio, erofs/,
  ],
  [
    "spec: v0.7\nrootfs: {source: root.cpio, format: erofs}",
    /ready cpio image, and the format that is asked for is erofs/,
  ],
  [
    "spec: v0.7\nrootfs: {source: {type: cpio, path: server}}",
    /line 2: rootfs\.source\.path: .*is no cpio image/,
  ],
  ["spec: v0.7\nrootfs: {source: {type: dir, path: server}}", /no directory, not of type dir/],
  ["spec: v0.7\nrootfs: nowhere", /line 2: rootfs: there is no .*nowhere/],
  ["spec: v0.7\nrootfs: {format: erofs}", /line 2: rootfs: it has no 'source'/],
  ["spec: v0.7\nrootfs: [rootfs, server]", /line 2: rootfs: a list of 2/],
  ["spec: v0.7\nrootfs: outward/hostname", /symbolic link out of the Kraftfile's directory/],
  [
    "spec: v0.7\nroms: [{name: a, source: data}, {name: A, source: data}]\nrootfs: rootfs",
    /two ROMs of the name 'a'/,
  ],
  ["spec: v0.7\nroms: [{name: a, source: data, format: cpio}]", /a ROM is an EROFS image here/],
  ["spec: v0.7\nspec: v0.7", /line 2: Map keys must be unique/],
  ["spec: [v0.7", /Kraftfile line \d/],
  ["- a\n- b", /not a map/],
  ["", /not a map/],
];

for (const [text, message] of wrong) {
  test(`refused: ${JSON.stringify(text)}`, () => {
    const error = refused(text);
    assert.match(error.message, message);
    assert.ok(["malformed", "not_supported", "not_found"].includes(error.code), error.code);
  });
}

test("what is written may lead out of the directory", () => {
  assert.deepEqual(only(`rootfs: ${relative(directory, "/etc")}/`).upload, {
    kind: "tree",
    path: "/etc",
    asRoot: true,
  });
});

test("aliases are followed, but not for ever", () => {
  assert.deepEqual(only("runtime: base\nenv: &e {A: &v x, B: *v}").params.config?.env, { A: "x", B: "x" });
  const bomb = Array.from({ length: 40 }, (_, i) => `k${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`).join(
    "\n",
  );
  assert.ok(plan(`spec: v0.7\nk0: &a0 [x]\n${bomb}\nrootfs: rootfs`).builds.length === 1);
  assert.ok(refused(`spec: v0.7\nrootfs: &r [*r]`) instanceof UniError);
  assert.ok(refused(`spec: v0.7\nrootfs: ${"[".repeat(50_000)}`) instanceof UniError);
  assert.match(refused(`spec: v0.7\nname: ${"x".repeat(300_000)}`).message, /longer than/);
});

test("whatever the text, it is read or refused", () => {
  const piece = fc.constantFrom(
    ..."spec: v0.7|\n|rootfs|: |roms|cmd|env|labels|targets|unikraft|runtime| |  |- |[|]|{|}|,|\"|'|&a |*a|<<|rootfs|!!binary |#|? |\t|null|~|0x1f|\0|../|--".split(
      "|",
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      try {
        plan(`spec: v0.7\n${pieces.join("")}`);
      } catch (error) {
        if (!(error instanceof UniError)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
});
