import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import { collectRom } from "./rom.ts";

function withDirectory(body: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), "uni-rom-"));
  try {
    body(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("a ROM of an image, and one of a directory's files", () => {
  withDirectory((directory) => {
    mkdirSync(join(directory, "a/none"), { recursive: true });
    writeFileSync(join(directory, "a/text"), "hello");
    symlinkSync("a/text", join(directory, "link"));
    const first = collectRom("name=base,image=registry.example.com/x:1", undefined);
    const data = Buffer.from("hello").toString("base64");
    assert.deepEqual(collectRom(`at=/code,name=code,dir=${directory}`, first), [
      { name: "base", image: "registry.example.com/x:1" },
      {
        name: "code",
        at: "/code",
        files: [
          { path: "a/text", encoding: "base64", data },
          { path: "link", encoding: "base64", data },
        ],
      },
    ]);
  });
});

test("what says too little or too much is refused", () => {
  for (const text of [
    "",
    "name=x",
    "image=y",
    "name=x,image=y,dir=z",
    "name=x,image=y,name=z",
    "name=x,image=y,to=z",
  ]) {
    assert.throws(
      () => collectRom(text, undefined),
      (error: UniError) => error.code === "malformed",
      text,
    );
  }
});

test("a directory that is not there or holds too much is refused", () => {
  withDirectory((directory) => {
    const codeOf = (text: string) => {
      try {
        return collectRom(text, undefined) && undefined;
      } catch (error) {
        return (error as UniError).code;
      }
    };
    assert.equal(codeOf(`name=x,dir=${directory}/none`), "malformed");
    writeFileSync(join(directory, "big"), Buffer.alloc(limits.romBytes));
    assert.equal(codeOf(`name=x,dir=${directory}`), undefined);
    writeFileSync(join(directory, "more"), "x");
    assert.equal(codeOf(`name=x,dir=${directory}`), "too_many");
    for (let index = 0; index < limits.romFiles; index++) writeFileSync(join(directory, `f${index}`), "");
    rmSync(join(directory, "big"));
    assert.equal(codeOf(`name=x,dir=${directory}`), "too_many");
  });
});
