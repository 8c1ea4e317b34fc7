import assert from "node:assert/strict";
import { test } from "node:test";
import { Hostname } from "@uni/contract/resources/instance";
import { nameText, tagList } from "@uni/contract/schema";
import { validate } from "./validate.ts";

test("a name with wrong characters is refused with those that are right", () => {
  for (const [schema, value, hint] of [
    [nameText("a name"), "Ünï", /^Letters, digits, '\.', '_' and '-' are/],
    [nameText("a name"), "-x", /begins with a letter or a digit/],
    [tagList, ["a b"], /^Letters, digits and '-', '\+'/],
    [Hostname, "a_b", /at most 63/],
  ] as const) {
    assert.throws(() => validate(schema, value, "it"), { code: "invalid_value", hint });
  }
  assert.equal(validate(nameText("a name"), "web-1", "it"), "web-1");
});
