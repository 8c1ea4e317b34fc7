import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { frameKinds } from "@uni/contract/stream-frames";
import { type Script, Stream, upload } from "../../../../test/kit/fake-daemon.ts";
import { talk } from "../../../../test/kit/run-uni.ts";
import { makeTar, type TarMember } from "../../../../test/kit/tar-writer.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "uni-cp-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (path: string): string => join(directory, path);

function sending(members: readonly TarMember[]): Script {
  return {
    "VM.CopyOut": () =>
      new Stream(async (peer) => {
        const tar = makeTar(members);
        // Cut at odd places, as a network does.
        for (let offset = 0; offset < tar.length; offset += 700) {
          peer.send(frameKinds.data, tar.subarray(offset, offset + 700));
        }
        peer.send(frameKinds.end, "");
        return { bytes: tar.length };
      }),
  };
}

const copy = (script: Script, ...args: string[]) => talk(script, ["cp", ...args], { cwd: directory });

const file: TarMember[] = [{ name: "app.log", content: "lines", mode: 0o640, mtime: 1_000_000_000 }];
const tree: TarMember[] = [
  { name: "etc/", mode: 0o750 },
  { name: "etc/conf", content: "a=1", mode: 0o755 },
  { name: "etc/link", type: "2", link: "conf" },
  { name: "etc/hard", type: "1", link: "etc/conf" },
];

test("a file goes into a directory under its name, or gets the name it is given", async () => {
  const { code, stdout, calls } = await copy(sending(file), "web:/var/log/app.log", ".");
  assert.deepEqual([code, stdout], [0, ""]);
  assert.deepEqual(calls[0]?.params, { id: "web", path: "/var/log/app.log" });
  assert.equal(readFileSync(at("app.log"), "utf8"), "lines");
  assert.equal(lstatSync(at("app.log")).mode & 0o7777, 0o640);
  assert.equal(lstatSync(at("app.log")).mtimeMs, 1_000_000_000_000);
  const named = await copy(sending(file), "web:/var/log/app.log", "./mine", "-o", "json");
  assert.deepEqual(JSON.parse(named.stdout), {
    source: "web:/var/log/app.log",
    destination: "./mine",
    bytes: 5,
  });
  assert.equal(readFileSync(at("mine"), "utf8"), "lines");
});

test("a directory goes into a directory, becomes a new one, or gives its content", async () => {
  mkdirSync(at("into"));
  assert.equal((await copy(sending(tree), "web:/etc", "into")).code, 0);
  assert.equal(readFileSync(at("into/etc/hard"), "utf8"), "a=1");
  assert.equal(readlinkSync(at("into/etc/link")), "conf");
  assert.equal(lstatSync(at("into/etc")).mode & 0o7777, 0o750);
  assert.equal((await copy(sending(tree), "web:/etc", "fresh")).code, 0);
  assert.equal(readFileSync(at("fresh/conf"), "utf8"), "a=1");
  mkdirSync(at("content"));
  assert.equal((await copy(sending(tree), "web:/etc/.", "content")).code, 0);
  assert.equal(readFileSync(at("content/conf"), "utf8"), "a=1");
});

test("destinations that make no sense are refused", async () => {
  writeFileSync(at("file"), "old");
  assert.equal((await copy(sending(tree), "web:/etc", "file")).code, 1);
  assert.equal(readFileSync(at("file"), "utf8"), "old");
  const nowhere = await copy(sending(file), "web:/a", "no/such/place");
  assert.equal(nowhere.code, 66);
  assert.equal(nowhere.calls.length, 0);
  assert.equal((await copy(sending(file), "a", "b")).code, 64);
  assert.equal((await copy(sending(file), "web:/a", "db:/b")).code, 64);
});

test("a hostile tar writes nothing outside the destination", async () => {
  mkdirSync(at("outside"));
  mkdirSync(at("into"));
  const attacks: Record<string, TarMember[]> = {
    dots: [{ name: "x/" }, { name: "x/../../outside/evil", content: "!" }],
    "another top": [{ name: "x/" }, { name: "outside/evil", content: "!" }],
    absolute: [{ name: "x/" }, { name: "/outside/evil", content: "!" }],
    "through a link": [
      { name: "x/" },
      { name: "x/l", type: "2", link: at("outside") },
      { name: "x/l/evil", content: "!" },
    ],
    "the top as a link": [
      { name: "x", type: "2", link: at("outside") },
      { name: "x/evil", content: "!" },
    ],
    "a hard link outward": [{ name: "x/" }, { name: "x/h", type: "1", link: "x/../../outside/victim" }],
    "a hard link to what was there": [{ name: "x/" }, { name: "x/h", type: "1", link: "x/old" }],
  };
  writeFileSync(at("outside/victim"), "safe");
  for (const [what, members] of Object.entries(attacks)) {
    const { code, stderr } = await copy(sending(members), "web:/x", "into");
    assert.equal(code, 1, `${what}: ${stderr}`);
    assert.match(stderr, /refused/, what);
    assert.ok(!existsSync(at("outside/evil")) && !existsSync(at("into/outside")), what);
    rmSync(at("into/x"), { recursive: true, force: true });
  }
  assert.equal(readFileSync(at("outside/victim"), "utf8"), "safe");
});

test("a link that was there before is not written through", async () => {
  mkdirSync(at("outside"));
  mkdirSync(at("into/etc"), { recursive: true });
  symlinkSync(at("outside"), at("into/etc/sub"));
  writeFileSync(at("victim"), "safe");
  symlinkSync(at("victim"), at("into/etc/conf"));
  const through = [{ name: "etc/" }, { name: "etc/sub/evil", content: "!" }];
  assert.equal((await copy(sending(through), "web:/etc", "into")).code, 1);
  assert.equal((await copy(sending(tree), "web:/etc", "into")).code, 0);
  assert.equal(readFileSync(at("victim"), "utf8"), "safe");
  assert.equal(readFileSync(at("into/etc/conf"), "utf8"), "a=1");
});

test("set-id bits and device nodes stay behind, and what stays behind is said", async () => {
  const members: TarMember[] = [
    { name: "x/", mode: 0o2777 },
    { name: "x/su", content: "!", mode: 0o6755 },
    { name: "x/sda", type: "4", device: [8, 0] },
  ];
  const { code, stderr } = await copy(sending(members), "web:/x", ".");
  assert.equal(code, 0);
  assert.equal(lstatSync(at("x/su")).mode & 0o7777, 0o755);
  assert.equal(lstatSync(at("x")).mode & 0o7777, 0o777);
  assert.ok(!existsSync(at("x/sda")));
  assert.equal(stderr, "Left out x/sda: it is a block-device\n");
});

test("what breaks off is an error", async () => {
  const cut: Script = {
    "VM.CopyOut": () =>
      new Stream(async (peer) => {
        peer.send(frameKinds.data, makeTar([{ name: "x", content: "a".repeat(5000) }]).subarray(0, 1000));
        throw new UniError("guest_unreachable", "copying out of web: its agent is gone");
      }),
  };
  const { code, stderr } = await copy(cut, "web:/x", ".");
  assert.equal(code, 69, stderr);
  assert.match(stderr, /its agent is gone/);
});

test("- as destination is the tar itself", async () => {
  const { code, bytes } = await copy(sending(file), "web:/var/log/app.log", "-");
  assert.equal(code, 0);
  assert.deepEqual(bytes, makeTar(file));
});

function receiving(take: (tar: Buffer) => void): Script {
  return {
    "VM.CopyIn": () =>
      upload((bytes) => {
        take(bytes);
        return { bytes: bytes.length, entries: 1 };
      }),
  };
}

/** Names in the order of the tar's headers; contents here are shorter than a block. */
function namesOf(tar: Buffer): string[] {
  const names: string[] = [];
  for (let offset = 0; tar[offset] !== 0; ) {
    names.push(
      tar
        .subarray(offset, offset + 100)
        .toString("utf8")
        .split("\0", 1)[0] ?? "",
    );
    const size = Number.parseInt(tar.subarray(offset + 124, offset + 135).toString(), 8);
    offset += 512 + Math.ceil(size / 512) * 512;
  }
  return names;
}

test("files, trees and contents go in as docker cp sends them", async () => {
  mkdirSync(at("site/css"), { recursive: true });
  writeFileSync(at("site/css/a.css"), "b{}");
  symlinkSync("/nowhere", at("site/link"));
  let sent = Buffer.alloc(0) as Buffer;
  const script = receiving((tar) => {
    sent = tar;
  });
  const { code, calls } = await copy(script, "site", "web:/srv");
  assert.equal(code, 0);
  assert.deepEqual(calls[0]?.params, { id: "web", path: "/srv" });
  assert.deepEqual(namesOf(sent), ["site/", "site/css/", "site/css/a.css", "site/link"]);
  await copy(script, "site/.", "web:/srv");
  assert.deepEqual(namesOf(sent), ["./", "css/", "css/a.css", "link"]);
  await copy(script, "site/css/a.css", "web:/srv/b.css");
  assert.deepEqual(namesOf(sent), ["a.css"]);
  const missing = await copy(script, "missing", "web:/srv");
  assert.equal(missing.code, 66, missing.stderr);
});

test("- as source is a tar from standard input", async () => {
  let sent = Buffer.alloc(0) as Buffer;
  const script = receiving((tar) => {
    sent = tar;
  });
  const { code } = await talk(script, ["cp", "-", "web:/srv"], { input: makeTar(file) });
  assert.equal(code, 0);
  assert.deepEqual(sent, makeTar(file));
});

test("files without content are sent like all others", async () => {
  mkdirSync(at("tree"));
  for (const [name, content] of Object.entries({ a: "", b: "text", c: "" }))
    writeFileSync(at(`tree/${name}`), content);
  let names: string[] = [];
  const script = receiving((tar) => {
    names = namesOf(tar);
  });
  const { code, stderr } = await copy(script, "tree", "web:/srv");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual(names, ["tree/", "tree/a", "tree/b", "tree/c"]);
});

test("many files come without a word of the runtime's", async () => {
  const content = "x".repeat(20_000);
  const many = Array.from({ length: 200 }, (_, index): TarMember => ({ name: `etc/${index}`, content }));
  const { code, stderr } = await copy(sending([{ name: "etc/" }, ...many]), "web:/etc", "many");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(readFileSync(at("many/199"), "utf8"), content);
});
