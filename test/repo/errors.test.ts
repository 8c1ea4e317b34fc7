import assert from "node:assert/strict";
import { test } from "node:test";
import { errorTable } from "@uni/contract/errors";
import { isProduct, sources, withoutComments } from "./sources.ts";

test("every error code of the contract is used somewhere", () => {
  const code = sources((path) => isProduct(path) && path !== "packages/contract/src/errors.ts")
    .map(({ text }) => withoutComments(text))
    .join("\n");
  const unused = Object.keys(errorTable).filter((name) => !code.includes(`"${name}"`));
  assert.deepEqual(unused, []);
});
