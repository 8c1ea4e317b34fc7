import assert from "node:assert/strict";
import { test } from "node:test";
import { toUniError, UniError } from "./errors.ts";

test("a full disk keeps its code wherever it was met, and no path of the host is said", () => {
  const thrown = Object.assign(new Error("ENOSPC: no space left on device, write '/var/lib/uni/x'"), {
    code: "ENOSPC",
    syscall: "write",
  });
  const { code, message, hint, cause } = toUniError(thrown, "Internal error");
  assert.deepEqual([code, message, cause], ["no_space", "write: the disk is full", thrown]);
  assert.match(hint ?? "", /uni df/);
});

test("what is thrown is wrapped once", () => {
  const known = new UniError("in_use", "remove it: it is in use");
  assert.equal(toUniError(known, "remove"), known);
  assert.equal(toUniError("words", "read it").message, "read it: words");
  assert.equal(toUniError(undefined, "read it").code, "internal");
});
