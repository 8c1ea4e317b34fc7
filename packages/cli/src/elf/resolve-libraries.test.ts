/** Against the real loader's rules, with programs made for the purpose. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import type { ElfFile } from "@uni/contract/elf";
import fc from "fast-check";
import { parseLdCache } from "./ld-cache.ts";
import { readElfFile } from "./read-file.ts";
import { libraryDirectory, resolveLibraries } from "./resolve-libraries.ts";

let directory = "";
const local = (name: string) => join(directory, name);

function library(path: string, source: string, flags: readonly string[] = []): void {
  mkdirSync(dirname(local(path)), { recursive: true });
  writeFileSync(local("a.c"), source);
  const soname = `-Wl,-soname,${path.split("/").at(-1)}`;
  execFileSync("gcc", ["-shared", "-fPIC", soname, "-o", local(path), local("a.c"), ...flags]);
}

function program(path: string, flags: readonly string[], compiler = "gcc"): string {
  mkdirSync(dirname(local(path)), { recursive: true });
  writeFileSync(local("m.c"), "int top(void); int main(void) { return top(); }\n");
  execFileSync(compiler, ["-o", local(path), local("m.c"), "-L", local("lib"), "-ltop", ...flags]);
  return local(path);
}

before(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "uni-elf-")));
  library("lib/libdeep.so", "int deep(void) { return 7; }\n");
  library("lib/libtop.so", "int deep(void); int top(void) { return deep(); }\n", [
    "-L",
    local("lib"),
    "-ldeep",
  ]);
});
after(() => rmSync(directory, { recursive: true }));

async function resolved(path: string, env: NodeJS.ProcessEnv = {}) {
  const elf = (await readElfFile(path)) as ElfFile;
  const resolution = await resolveLibraries(path, elf, env);
  return {
    ...resolution,
    paths: Object.fromEntries(resolution.libraries.map(({ name, path }) => [name, path])),
  };
}

/** What the loader of this machine makes of a program that the test itself has built. */
function byLoader(path: string, env: NodeJS.ProcessEnv = {}): string[] {
  const output = execFileSync(path, [], { env: { ...env, LD_TRACE_LOADED_OBJECTS: "1" }, encoding: "utf8" });
  return [...output.matchAll(/=> (\/\S+)/g)].map(([, found]) => found ?? "").sort();
}

const linked = ["-Wl,--unresolved-symbols=ignore-in-shared-libs"];

const searches: readonly (readonly [
  what: string,
  flags: readonly string[],
  env: (lib: string) => NodeJS.ProcessEnv,
])[] = [
  [
    "DT_RPATH with $ORIGIN, for the libraries of libraries too",
    ["-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib"],
    () => ({}),
  ],
  ["LD_LIBRARY_PATH", linked, (lib) => ({ LD_LIBRARY_PATH: `/nowhere:${lib}` })],
];

for (const [what, flags, env] of searches) {
  test(what, async () => {
    const path = program("bin/app", [...linked, ...flags]);
    const { paths, interpreter } = await resolved(path, env(local("lib")));
    assert.equal(paths["libtop.so"], local("lib/libtop.so"));
    assert.equal(paths["libdeep.so"], local("lib/libdeep.so"));
    assert.ok(interpreter?.path?.startsWith("/lib"));
    const found = Object.values(paths).filter((each) => each !== undefined);
    assert.deepEqual(
      found.map((each) => realpathSync(each)).sort(),
      byLoader(path, env(local("lib")))
        .map((each) => realpathSync(each))
        .sort(),
    );
  });
}

test("DT_RUNPATH counts for the file's own libraries alone", async () => {
  const path = program("bin/run", [...linked, `-Wl,--enable-new-dtags,-rpath,${"$"}{ORIGIN}/../lib`]);
  const { paths, libraries } = await resolved(path);
  assert.equal(paths["libtop.so"], local("lib/libtop.so"));
  assert.equal(paths["libdeep.so"], undefined);
  assert.equal(libraries.find(({ name }) => name === "libdeep.so")?.neededBy, local("lib/libtop.so"));
});

test("one for another machine is passed over, as is what is no library", async () => {
  mkdirSync(local("bad"), { recursive: true });
  const other = readFileSync(local("lib/libtop.so"));
  other.writeUInt16LE(other.readUInt16LE(18) === 62 ? 183 : 62, 18);
  writeFileSync(local("bad/libtop.so"), other);
  writeFileSync(local("bad/libdeep.so"), "INPUT(libm.so)");
  const path = program("bin/other", linked);
  const { paths } = await resolved(path, { LD_LIBRARY_PATH: `${local("bad")}:${local("lib")}` });
  assert.equal(paths["libtop.so"], local("lib/libtop.so"));
  assert.equal(paths["libdeep.so"], local("lib/libdeep.so"));
});

test("the C library comes from the loader's cache, and the others are put beside it", async () => {
  const resolution = await resolved("/usr/bin/python3");
  const cached = parseLdCache(readFileSync("/etc/ld.so.cache")).get("libc.so.6") ?? [];
  assert.ok(cached.includes(resolution.paths["libc.so.6"] ?? ""));
  assert.equal(libraryDirectory(resolution), dirname(resolution.paths["libc.so.6"] ?? ""));
});

test("musl's loader is its C library", async () => {
  writeFileSync(local("n.c"), "int main(void) { return 0; }\n");
  execFileSync("musl-gcc", ["-o", local("musl"), local("n.c")]);
  const resolution = await resolved(local("musl"));
  assert.equal(
    realpathSync(resolution.paths["libc.so"] ?? ""),
    realpathSync(resolution.interpreter?.path ?? ""),
  );
  assert.equal(libraryDirectory(resolution), "/lib");
});

test("a program is only read: one that cannot be run resolves the same", async () => {
  const path = program("bin/locked", linked);
  chmodSync(path, 0o400);
  const { paths } = await resolved(path, { LD_LIBRARY_PATH: local("lib") });
  assert.equal(paths["libtop.so"], local("lib/libtop.so"));
});

test("whatever a loader's cache holds, it is read to its end", () => {
  const seed = readFileSync("/etc/ld.so.cache").subarray(0, 4096);
  const change = fc.record({ at: fc.nat(4095), bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 6 }), fc.nat(4096), (changes, end) => {
      const bytes = Buffer.from(seed);
      for (const { at, bytes: more } of changes) bytes.set(more.subarray(0, bytes.length - at), at);
      parseLdCache(bytes.subarray(0, end));
    }),
    { numRuns: 1000 },
  );
});
