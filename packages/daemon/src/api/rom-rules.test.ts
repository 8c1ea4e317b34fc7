import assert from "node:assert/strict";
import { test } from "node:test";
import type { UniError } from "@uni/contract/errors";
import { limits } from "@uni/contract/limits";
import { readRoms } from "./rom-rules.ts";

const file = (path: string, data = "x") => ({ path, data });
const rom = (more: object = {}) => ({ name: "r", files: [file("f")], ...more });

const refused: readonly (readonly [parts: readonly object[], code: string, message: RegExp])[] = [
  [[{ name: "r" }], "exclusive", /needs one of 'image' and 'files'/],
  [[rom({ image: "hello" })], "exclusive", /needs one of/],
  [[rom(), rom()], "invalid_value", /named twice/],
  ...["code", "/", "/uk", "//uk/x", "/a/../b", "/./a"].map(
    (at) => [[rom({ at })], "invalid_value", /cannot be mounted at/] as const,
  ),
  ...["", "/", "..", "a/../b", "a/", "x".repeat(256)].map(
    (path) => [[rom({ files: [file(path)] })], "invalid_value", /no path inside it/] as const,
  ),
  [[rom({ files: [file("a"), file("/./a")] })], "invalid_value", /file 'a' twice/],
  [[rom({ files: [file("a/b/c"), file("a/b")] })], "invalid_value", /'a\/b' as a file and as a directory/],
  [[rom({ files: [{ ...file("f", "eA="), encoding: "base64" }] })], "invalid_value", /not base64/],
  [[rom({ files: [file("f", "ä".repeat(limits.romBytes / 2)), file("g")] })], "too_many", /over the limit/],
];

for (const [parts, code, message] of refused) {
  test(`${JSON.stringify(parts).slice(0, 60)} is refused: ${message}`, () => {
    assert.throws(
      () => readRoms(parts as never),
      (error: UniError) => error.code === code && message.test(error.message),
    );
  });
}

test("what is not refused is in one form", () => {
  const most = { ...file("big", Buffer.alloc(limits.romBytes).toString("base64")), encoding: "base64" };
  const read = readRoms([
    rom({ at: "/ukp", files: [file("/a//./b"), file("a/c")] }),
    { name: "i", image: { url: "hello" } },
    { name: "b", files: [most] },
    { name: "e", files: [] },
  ] as never);
  assert.deepEqual(
    read.map(({ image, files }) => image ?? files?.map(({ path }) => path)),
    [["a/b", "a/c"], "hello", ["big"], []],
  );
});
