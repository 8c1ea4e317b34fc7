import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTar, type TarMember } from "../../../../test/kit/tar-writer.ts";
import { bufferSource } from "./byte-source.ts";
import { readFileRange } from "./file-content.ts";
import { defaultLimits, type ImageLimits } from "./limits.ts";
import { Merge } from "./merge.ts";
import { lookUp } from "./missing-libraries.ts";
import { readTar } from "./tar-reader.ts";
import type { DirectoryNode, Node } from "./tree.ts";

type Layer = readonly TarMember[];

async function merge(layers: readonly Layer[], limits: ImageLimits = defaultLimits): Promise<DirectoryNode> {
  const result = new Merge({ whiteouts: true, limits });
  for (const layer of layers) await result.add(readTar(bufferSource(makeTar(layer))));
  return result.root;
}

/** Every path with what it is: contents of files, targets of links, "/" for directories. */
async function show(layers: readonly Layer[]): Promise<Record<string, string>> {
  const sources = layers.map((layer) => bufferSource(makeTar(layer)));
  const shown: Record<string, string> = {};
  const visit = async (node: Node, path: string): Promise<void> => {
    if (node.kind === "directory") {
      if (path !== "") shown[path] = "/";
      for (const [name, child] of node.children)
        await visit(child.node, path === "" ? name : `${path}/${name}`);
    } else if (node.kind === "file") {
      const source = sources[node.layer];
      assert.ok(source !== undefined);
      shown[path] = (await readFileRange(source, node, 0, node.size)).toString();
    } else shown[path] = node.kind === "symlink" ? `-> ${node.target}` : node.kind;
  };
  await visit(await merge(layers), "");
  return shown;
}

const file = (name: string, content = name): TarMember => ({ name, content });
const dir = (name: string): TarMember => ({ name: `${name}/` });
const link = (name: string, target: string): TarMember => ({ name, type: "2", link: target });
const hard = (name: string, target: string): TarMember => ({ name, type: "1", link: target });

test("a whiteout hides a file or a directory of a lower layer", async () => {
  const lower = [dir("d"), file("d/a"), file("d/b"), dir("e"), file("e/x")];
  assert.deepEqual(await show([lower, [file("d/.wh.a", ""), file(".wh.e", "")]]), { d: "/", "d/b": "d/b" });
});

test("a whiteout does not hide what its own layer adds, wherever it stands", async () => {
  const before = await show([[file("a", "old")], [file(".wh.a", ""), file("a", "new")]]);
  const after = await show([[file("a", "old")], [file("a", "new"), file(".wh.a", "")]]);
  assert.deepEqual([before, after], [{ a: "new" }, { a: "new" }]);
});

test("an opaque directory hides all of the lower layers and keeps its own", async () => {
  const lower = [dir("d"), file("d/a"), dir("d/sub"), file("d/sub/x")];
  const upper = [dir("d"), file("d/new"), file("d/.wh..wh..opq", "")];
  assert.deepEqual(await show([lower, upper]), { d: "/", "d/new": "d/new" });
});

test("a directory hidden and made again starts empty", async () => {
  const upper = [file(".wh.d", ""), dir("d"), file("d/new")];
  assert.deepEqual(await show([[dir("d"), file("d/old")], upper]), { d: "/", "d/new": "d/new" });
});

test("a file replaces a directory and the other way round", async () => {
  assert.deepEqual(await show([[dir("x"), file("x/in")], [file("x")]]), { x: "x" });
  assert.deepEqual(await show([[file("x")], [dir("x"), file("x/in")]]), { x: "/", "x/in": "x/in" });
  assert.deepEqual(await show([[file("x")], [file("x/in")]]), { x: "/", "x/in": "x/in" });
});

test("a directory named again takes the new metadata and keeps its children", async () => {
  const xattr = { "SCHILY.xattr.user.k": "v" };
  const root = await merge([[dir("d"), file("d/a")], [{ name: "d/", mode: 0o1777, uid: 5, pax: xattr }]]);
  const node = lookUp(root, "d");
  assert.ok(node?.kind === "directory");
  assert.deepEqual([node.mode, node.uid, node.xattrs.get("user.k")?.toString()], [0o1777, 5, "v"]);
  assert.ok(node.children.has("a"));
});

test("of two entries of one name the last counts", async () => {
  assert.deepEqual(await show([[file("a", "1"), file("a", "2")]]), { a: "2" });
});

test("missing parents are made: root's, 0755", async () => {
  const node = lookUp(await merge([[file("a/b/c")]]), "a/b");
  assert.ok(node?.kind === "directory");
  assert.deepEqual([node.mode, node.uid, node.gid], [0o755, 0, 0]);
});

test("hard links are one node, also to a lower layer's file, and outlive their first name", async () => {
  const layers = [[file("a")], [hard("b", "a"), hard("d/c", "./a")], [file(".wh.a", "")]];
  assert.deepEqual(await show(layers), { b: "a", d: "/", "d/c": "a" });
  const root = await merge(layers);
  assert.equal(lookUp(root, "b"), lookUp(root, "d/c"));
});

test("symbolic links on the way are followed inside the image", async () => {
  const lower = [link("lib", "usr/lib"), dir("usr/lib"), link("run", "/var/run"), link("up", "usr/lib/../x")];
  const shown = await show([lower, [file("lib/f"), file("run/pid"), file("up/y"), hard("hl", "lib/f")]]);
  assert.equal(shown["usr/lib/f"], "lib/f");
  assert.equal(shown["var/run/pid"], "run/pid");
  assert.equal(shown["usr/x/y"], "up/y");
  assert.equal(shown["hl"], "lib/f");
  assert.equal(shown["lib"], "-> usr/lib");
});

test("an absolute link is the image's own path, never the host's", async () => {
  const shown = await show([[link("a", "/etc"), file("a/passwd", "image's")]]);
  assert.deepEqual(shown, { a: "-> /etc", etc: "/", "etc/passwd": "image's" });
});

test("the last component is replaced, not followed", async () => {
  assert.deepEqual(await show([[link("a", "/etc/passwd")], [file("a")]]), { a: "a" });
});

test("setuid, devices and fifos stay; sockets' and AUFS' files are no business of an image", async () => {
  const root = await merge([
    [
      { name: "su", mode: 0o4755 },
      { name: "null", type: "3", device: [1, 3] },
      { name: "pipe", type: "6" },
      file(".wh..wh.plnk/1", ""),
      file(".wh..wh.aufs", ""),
    ],
  ]);
  const device = lookUp(root, "null");
  assert.equal(lookUp(root, "su")?.mode, 0o4755);
  assert.ok(device?.kind === "char");
  assert.deepEqual(device.device, { major: 1, minor: 3 });
  assert.equal(lookUp(root, "pipe")?.kind, "fifo");
  assert.equal(root.children.has(".wh..wh.aufs"), false);
});

test("attributes of the overlay and of unknown name spaces are left out", async () => {
  const pax = {
    "SCHILY.xattr.trusted.overlay.opaque": "y",
    "SCHILY.xattr.com.apple.x": "y",
    "SCHILY.xattr.user.kept": "y",
  };
  const node = lookUp(await merge([[{ name: "f", pax }]]), "f");
  assert.deepEqual([...(node?.xattrs.keys() ?? [])], ["user.kept"]);
});

const unsafe: readonly (readonly [what: string, layers: readonly Layer[], message: RegExp])[] = [
  ["a name with ..", [[file("../../etc/passwd")]], /contains \.\./],
  ["a name with .. inside", [[file("a/../../b")]], /contains \.\./],
  ["a hard link to ..", [[file("a"), hard("b", "../a")]], /contains \.\./],
  [
    "a link that climbs above the root",
    [[link("a", "../../etc"), file("a/passwd")]],
    /climbs above the root/,
  ],
  ["a link in a lower layer that climbs", [[link("a", "x/../..")], [file("a/b")]], /climbs above the root/],
  ["a whiteout of ..", [[file("d/.wh...", "")]], /hides no name/],
  ["a name of more than 255 bytes", [[{ name: "x", pax: { path: "n".repeat(256) } }]], /255 bytes a name/],
  ["too deep a path", [[{ name: "x", pax: { path: "n/".repeat(600) } }]], /512 levels/],
];

for (const [what, layers, message] of unsafe) {
  test(`${what} is unsafe`, async () => {
    await assert.rejects(merge(layers), { code: "image_unsafe", message });
  });
}

const invalid: readonly (readonly [what: string, layers: readonly Layer[]])[] = [
  ["a hard link to nothing", [[hard("a", "b")]]],
  ["a hard link to a directory", [[dir("d"), hard("a", "d")]]],
  ["a loop of symbolic links on the way", [[link("a", "b"), link("b", "a"), file("a/x")]]],
  ["a root that is no directory", [[file("./")], [{ name: "./", type: "2", link: "x" }]]],
  ["a device number out of range", [[{ name: "d", type: "3", device: [4096, 0] }]]],
];

for (const [what, layers] of invalid) {
  test(`${what} is invalid`, async () => {
    await assert.rejects(merge(layers), { code: "image_invalid" });
  });
}

test("the number of entries is bounded over all layers, made parents included", async () => {
  const limits = { ...defaultLimits, entries: 5 };
  await assert.rejects(merge([[file("a")], [file("b/c/d/e/f")]], limits), {
    code: "image_unsafe",
    message: /5 entries/,
  });
});
