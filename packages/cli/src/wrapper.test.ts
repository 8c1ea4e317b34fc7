import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const bin = join(import.meta.dirname, "../../../bin");
let root = "";

before(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "uni wrapper-")));
  mkdirSync(join(root, "checkout/bin"), { recursive: true });
  for (const name of ["uni", "unid"]) {
    copyFileSync(join(bin, name), join(root, "checkout/bin", name));
    chmodSync(join(root, "checkout/bin", name), 0o755);
  }
});
after(() => rmSync(root, { recursive: true }));

function pretendToBuild(): void {
  const node = join(root, "checkout/node_modules/node/bin/node");
  mkdirSync(join(root, "checkout/node_modules/node/bin"), { recursive: true });
  mkdirSync(join(root, "checkout/build"), { recursive: true });
  writeFileSync(node, '#!/bin/sh\nfor word; do echo "[$word]"; done\nexit 7\n');
  chmodSync(node, 0o755);
  for (const name of ["uni", "unid"]) writeFileSync(join(root, "checkout/build", `${name}.mjs`), "");
}

const call = (path: string, args: readonly string[], cwd: string) =>
  spawnSync(path, args, {
    cwd,
    encoding: "utf8",
    env: { PATH: `${join(root, "links")}:${process.env.PATH}` },
  });

test("what is not built says what to run", () => {
  for (const name of ["uni", "unid"]) {
    const { status, stderr } = call(join(root, "checkout/bin", name), [], "/");
    assert.equal(status, 69);
    assert.equal(stderr, `${name} is not built yet: run ./scripts/setup in ${join(root, "checkout")}\n`);
  }
});

test("it runs from any directory, through links and the path, with its arguments whole", () => {
  pretendToBuild();
  mkdirSync(join(root, "links/deep"), { recursive: true });
  symlinkSync("../checkout/bin/uni", join(root, "links/relative"));
  symlinkSync("../relative", join(root, "links/deep/twice"));
  symlinkSync(join(root, "checkout/bin"), join(root, "links/bin"));
  const ways: [string, string][] = [
    [join(root, "checkout/bin/uni"), "/"],
    ["./uni", join(root, "checkout/bin")],
    ["bin/uni", join(root, "checkout")],
    [join(root, "links/relative"), "/"],
    [join(root, "links/deep/twice"), "/"],
    [join(root, "links/bin/uni"), "/"],
    ["relative", "/"],
  ];
  for (const [path, cwd] of ways) {
    const { status, stdout, stderr } = call(path, ["run", "a b", ""], cwd);
    assert.equal(status, 7, `${path}: ${stderr}`);
    assert.match(stdout, /^\[--\]\n\[.*\/build\/uni\.mjs\]\n\[run\]\n\[a b\]\n\[\]\n$/, path);
  }
});
