import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { frameKinds } from "@uni/contract/stream-frames";
import { events, type Script, Stream } from "../../../../test/kit/fake-daemon.ts";
import { talk } from "../../../../test/kit/run-uni.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "uni-image-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const common = { uid: 0, gid: 0, links: 1, modified_at: "2026-01-31T12:05:59.000Z" };
const files = [
  { ...common, path: "bin", kind: "directory", mode: 0o1777, size_bytes: 0, links: 12 },
  { ...common, path: "bin/sh", kind: "symlink", mode: 0o777, size_bytes: 7, target: "busy\u001bbox" },
  { ...common, path: "bin/su", kind: "file", mode: 0o4755, size_bytes: 123_456, uid: 1000 },
  { ...common, path: "dev/null", kind: "char", mode: 0o666, size_bytes: 0, major: 1, minor: 3 },
];

const sending = (...chunks: readonly (string | Uint8Array)[]): Stream =>
  new Stream(async (peer) => {
    for (const chunk of chunks) peer.send(frameKinds.data, chunk);
    peer.send(frameKinds.end, "");
    return { bytes: 0 };
  });

test("image ls prints lines like those of ls -l, names alone, or values", async () => {
  const script: Script = { "Image.Files": () => events(...files) };
  const { code, stdout, calls } = await talk(script, ["image", "ls", "host:5000/a/b:1.2:/usr", "-R"]);
  assert.equal(code, 0);
  assert.deepEqual(calls[0]?.params, { reference: "host:5000/a/b:1.2", path: "/usr", recursive: true });
  assert.deepEqual(stdout.split("\n"), [
    "drwxrwxrwt 12    0 0      0 2026-01-31 12:05 bin",
    "lrwxrwxrwx  1    0 0      7 2026-01-31 12:05 bin/sh -> busy\\x1bbox",
    "-rwsr-xr-x  1 1000 0 123456 2026-01-31 12:05 bin/su",
    "crw-rw-rw-  1    0 0   1, 3 2026-01-31 12:05 dev/null",
    "",
  ]);
  const quiet = await talk(script, ["image", "ls", "-q", "hello"]);
  assert.deepEqual(quiet.calls[0]?.params, { reference: "hello", path: "/", recursive: false });
  assert.equal(quiet.stdout, "bin\nbin/sh\nbin/su\ndev/null\n");
  assert.deepEqual(JSON.parse((await talk(script, ["image", "ls", "hello", "-o", "json"])).stdout), files);
});

test("image cat passes bytes on, and needs a path", async () => {
  const script: Script = { "Image.ReadFile": ({ path }) => sending(`${path}`, Buffer.from([0, 255])) };
  const { bytes } = await talk(script, ["image", "cat", "hello:/a", "hello:/b"]);
  assert.deepEqual(bytes, Buffer.from([...Buffer.from("/a"), 0, 255, ...Buffer.from("/b"), 0, 255]));
  const { code, stderr } = await talk({}, ["image", "cat", "hello:latest"]);
  assert.equal(code, 64);
  assert.match(stderr, /the path in the image is missing/);
});

test("image cp unpacks a tree, or passes its tar on", async () => {
  const tar = makeTar([{ name: "etc/" }, { name: "etc/conf", content: "a=1" }]);
  const script: Script = { "Image.CopyOut": () => sending(tar.subarray(0, 700), tar.subarray(700)) };
  const { code, calls } = await talk(script, ["image", "cp", "hello:/etc", "."], { cwd: directory });
  assert.equal(code, 0);
  assert.deepEqual(calls[0]?.params, { reference: "hello", path: "/etc", follow_link: false });
  assert.equal(readFileSync(join(directory, "etc", "conf"), "utf8"), "a=1");
  assert.deepEqual((await talk(script, ["image", "cp", "hello:/etc", "-"])).bytes, tar);
});

test("save writes a whole file or none", async () => {
  const at = join(directory, "out.tar");
  const good: Script = { "Image.Save": () => sending("archive") };
  const { code, calls } = await talk(good, ["save", "a", "b:2", "-o", at, "--format", "docker"]);
  assert.equal(code, 0);
  assert.deepEqual(calls[0]?.params, { references: ["a", "b:2"], format: "docker" });
  assert.equal(readFileSync(at, "utf8"), "archive");
  assert.equal((await talk(good, ["save", "a"])).stdout, "archive");
  const told = await talk(good, ["save", "a", "-o", at, "-o", "json"]);
  assert.deepEqual(JSON.parse(told.stdout), { references: ["a"], file: at, bytes: 7 });
  assert.equal((await talk(good, ["save", "a", "-o", at, "-o", "other.tar"])).code, 64);
  const broken: Script = {
    "Image.Save": () =>
      new Stream(async (peer) => {
        peer.send(frameKinds.data, "half");
        throw new UniError("image_not_found", "find image: there is none");
      }),
  };
  writeFileSync(at, "before");
  assert.equal((await talk(broken, ["save", "a", "-o", at])).code, 66);
  assert.equal(readFileSync(at, "utf8"), "before");
  assert.deepEqual(readdirSync(directory), ["out.tar"]);
});

test("a file that cannot be written is named", async () => {
  const { code, stderr } = await talk({ "Image.Save": () => sending("x") }, [
    "save",
    "a",
    "-o",
    "/dev/full/x",
  ]);
  assert.notEqual(code, 0);
  assert.match(stderr, /writing \/dev\/full\/x/);
});

test("history shows instructions, and whole ones when asked", async () => {
  const long = `/bin/sh -c #(nop)  CMD ["${"x".repeat(80)}"]`;
  const script: Script = {
    "Image.History": () => [
      { created_by: long, size_bytes: 0 },
      {
        created_by: "/bin/sh -c make",
        digest: "sha256:1",
        size_bytes: 2048,
        created_at: "2026-01-01T00:00:00Z",
      },
    ],
  };
  const { stdout } = await talk(script, ["history", "hello"]);
  assert.match(
    stdout,
    /^CREATED\s+CREATED BY\s+SIZE\s+COMMENT\n-\s+CMD \["x+…\s+0 B\n.* ago\s+RUN make\s+2\.0 KB\n$/,
  );
  assert.ok(
    (await talk(script, ["history", "hello", "--no-trunc"])).stdout.includes(`CMD ["${"x".repeat(80)}"]`),
  );
  assert.equal((await talk(script, ["history", "hello", "-q"])).stdout, "sha256:1\n");
});
