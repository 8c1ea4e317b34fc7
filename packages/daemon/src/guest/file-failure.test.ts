import assert from "node:assert/strict";
import { test } from "node:test";
import { fileFailure } from "./file-failure.ts";

test("a path is said once, and another one than was asked for is kept", () => {
  const same = fileFailure("read /nosuch from the guest", "/nosuch: No such file or directory");
  assert.equal(same.message, "read /nosuch from the guest: No such file or directory");
  const below = fileFailure("write /srv in the guest", "/srv/a: b: No space left on device");
  assert.equal(below.message, "write /srv in the guest: /srv/a: b: No space left on device");
  const none = fileFailure("write /srv in the guest", "Permission denied");
  assert.equal(none.message, "write /srv in the guest: Permission denied");
});

test("the reason decides the code", () => {
  const code = (reason: string) => fileFailure("read /a from the guest", reason).code;
  assert.deepEqual(["/a: No such file or directory", "/a: its parent directory does not exist"].map(code), [
    "not_found",
    "not_found",
  ]);
  assert.deepEqual(["No space left on device", "/a: Is a directory"].map(code), ["no_space", "failed"]);
});
