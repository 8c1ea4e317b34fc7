import assert from "node:assert/strict";
import { test } from "node:test";
import { downloadError, lookUpPackage, parseRecord } from "./apt.ts";

test("reads version and dependencies of an index record", () => {
  const record = parseRecord(
    "Package: linux-image-cloud-amd64\nVersion: 6.1.192-2\nDepends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2), kmod | busybox:any\nDescription: x\n",
  );
  assert.deepEqual(record, {
    name: "linux-image-cloud-amd64",
    version: "6.1.192-2",
    depends: ["linux-image-6.1.0-56-cloud-amd64", "kmod"],
  });
});

test("a record without a version is none", () => {
  assert.equal(parseRecord("Package: x\n"), undefined);
});

test("a package that the index does not have is a clear error", async () => {
  await assert.rejects(lookUpPackage("uni-has-no-such-package"), {
    code: "kernel_not_found",
    hint: /apt-get update/,
  });
});

const failures: readonly (readonly [string, string])[] = [
  ["E: You don't have enough free space in /x", "no_space"],
  ["E: Write error - write (28: No space left on device)", "no_space"],
  ["E: Can't find a source to download version '1' of 'x:amd64'", "kernel_not_found"],
  ["E: Failed to fetch x  404  Not Found", "kernel_not_found"],
  ["Err:1 x Temporary failure resolving 'registry.example.com'", "unreachable"],
  ["E: Failed to fetch x  Could not connect", "unreachable"],
];

for (const [message, code] of failures) {
  test(`apt's "${message}" is ${code}`, () => {
    const error = downloadError("x=1", message);
    assert.equal(error.code, code);
    assert.ok(error.message.includes(message));
  });
}
