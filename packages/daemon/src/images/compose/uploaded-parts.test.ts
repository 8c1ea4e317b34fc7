import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readElf } from "@uni/contract/elf";
import { imageArchive } from "../../../../../test/kit/image-archive.ts";
import { makeTar, type TarMember } from "../../../../../test/kit/tar-writer.ts";
import { bufferSource } from "../byte-source.ts";
import { hostArchitecture } from "../platform.ts";
import { quietly, storedFiles, stream, withStore } from "../test-room.ts";

function inDirectory<T>(body: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), "uni-elf-"));
  try {
    return body(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function compile(...options: string[]): Buffer {
  return inDirectory((directory) => {
    writeFileSync(
      join(directory, "a.c"),
      "#include <math.h>\nint main(int c, char **v) { return (int)sin(c); }\n",
    );
    const out = join(directory, "a");
    execFileSync("cc", [join(directory, "a.c"), "-o", out, "-Wl,--no-as-needed", "-lm", ...options]);
    return readFileSync(out);
  });
}

const elf = { source: { kind: "elf" }, changes: {} } as const;
const here = { architecture: hostArchitecture() };
const busybox = readFileSync("/bin/busybox");
const dynamic = compile("-Wl,-rpath,/opt/lib");

test("a dynamic program: loader, libraries and search path are read", async () => {
  const elf = await readElf(bufferSource(dynamic));
  assert.equal(elf?.machine, hostArchitecture());
  assert.ok(elf?.executable);
  assert.match(elf?.interpreter ?? "", /^\/lib.*ld-linux/);
  assert.deepEqual(elf?.libraries, ["libm.so.6", "libc.so.6"]);
  assert.deepEqual(elf?.runPaths, ["/opt/lib"]);
});

test("static programs, position-independent ones too, need nothing", async () => {
  for (const program of [busybox, compile("-static"), compile("-static-pie")]) {
    const elf = await readElf(bufferSource(program));
    assert.ok(elf?.executable);
    assert.deepEqual([elf?.interpreter, elf?.libraries], [undefined, []]);
  }
});

test("a static program becomes an image whose entry point it is", async () => {
  await withStore(async ({ images, directory }) => {
    const image = await images.build(stream(busybox), { ...elf, reference: "team/tool:2" }, quietly());
    assert.deepEqual(image.config.entrypoint, ["/bin/tool"]);
    assert.deepEqual(image.references, ["team/tool:2"]);
    inDirectory((place) => {
      const root = join(place, "x");
      execFileSync("fsck.erofs", [`--extract=${root}`, image.rootPath], { stdio: "pipe" });
      assert.deepEqual(readFileSync(join(root, "bin/tool")), busybox);
      assert.match(readFileSync(join(root, "etc/passwd"), "utf8"), /^root:x:0:0:/);
      assert.ok(readdirSync(root).includes("tmp"));
    });
    const again = await images.build(stream(busybox), { ...elf, reference: "team/tool:2" }, quietly());
    assert.equal(again.digest, image.digest);
    assert.deepEqual(storedFiles(directory).scratch, []);
  }, here);
});

const otherMachine = Buffer.from(busybox);
otherMachine.writeUInt16LE(hostArchitecture() === "s390x" ? 62 : 22, 18);

const refused: readonly (readonly [what: string, program: Buffer, code: string, message: RegExp])[] = [
  ["a dynamic program", dynamic, "elf_dynamic", /needs the loader \/lib\S+, libm\.so\.6, libc\.so\.6$/],
  ["a program for another machine", otherMachine, "image_invalid", /this machine is/],
  ["a script", Buffer.from("#!/bin/sh\nexit 0\n"), "image_invalid", /no ELF file/],
  ["a cut program", busybox.subarray(0, 40), "image_invalid", /ends inside its header/],
  ["nothing", Buffer.alloc(0), "image_invalid", /no ELF file/],
];

for (const [what, program, code, message] of refused) {
  test(`${what} is refused: ${code}`, async () => {
    await withStore(async ({ images, directory }) => {
      await assert.rejects(images.build(stream(program), { ...elf, reference: "tool" }, quietly()), {
        code,
        message,
      });
      assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
    }, here);
  });
}

test("a tar of a root file system becomes an image with the given config", async () => {
  await withStore(async ({ images }) => {
    const tar = makeTar([{ name: "./" }, { name: "./etc/hostname", content: "box" }]);
    const config = { entrypoint: ["/init"], env: { A: "1" }, user: "7" };
    const image = await images.build(
      stream(tar),
      { reference: "box", source: { kind: "root" }, changes: config },
      quietly(),
    );
    assert.deepEqual(
      [image.config.entrypoint, image.config.env, image.config.user],
      [["/init"], { A: "1" }, "7"],
    );
    assert.deepEqual(image.config.cmd, []);
    const again = await images.build(
      stream(tar),
      { reference: "box:2", source: { kind: "root" }, changes: config },
      quietly(),
    );
    assert.equal(again.digest, image.digest);
    const other = await images.build(
      stream(tar),
      { reference: "box:3", source: { kind: "root" }, changes: {} },
      quietly(),
    );
    assert.notEqual(other.digest, image.digest);
    assert.equal(other.rootPath, image.rootPath);
  }, here);
});

test("libraries that an image's program needs and the image lacks are named", async () => {
  await withStore(async ({ images }) => {
    const loader = (await readElf(bufferSource(dynamic)))?.interpreter ?? "";
    const load = async (members: readonly TarMember[], config: object) => {
      const archive = imageArchive({ layers: [makeTar(members)], config, ...here });
      const [image] = await images.load(stream(archive), "x", quietly());
      return image?.missing;
    };
    const program = { name: "usr/bin/app", content: dynamic, mode: 0o755 };
    const config = { Cmd: ["app"], Env: ["PATH=/nowhere:/usr/bin"] };
    assert.deepEqual(await load([program], config), [loader, "libc.so.6", "libm.so.6"].sort());
    const some = [program, { name: "opt/lib/libm.so.6", content: "no ELF file, but there" }];
    assert.deepEqual(await load(some, config), [loader, "libc.so.6"].sort());
    assert.deepEqual(await load([program], { Cmd: ["/usr/bin/other"] }), []);
    assert.deepEqual(await load([{ ...program, content: busybox }], config), []);
  }, here);
});
