import assert from "node:assert/strict";
import { test } from "node:test";
import { hostnamePattern, limits, namePattern } from "@uni/contract/limits";
import fc from "fast-check";
import { generatedName, hostnameFor } from "./names.ts";

const stems: readonly [reference: string, stem: string][] = [
  ["hello", "hello"],
  ["hello:latest", "hello"],
  ["registry.example.com:5000/team/web:1.2", "web"],
  [`hello@sha256:${"0".repeat(64)}`, "hello"],
  ["", "instance"],
  ["a b/c d", "cd"],
];

for (const [reference, stem] of stems) {
  test(`the name made of '${reference}' begins with '${stem}'`, () => {
    assert.match(generatedName(reference), new RegExp(`^${stem}-[a-z0-9]{5}$`));
  });
}

test("names that are made are names that are allowed", () => {
  fc.assert(
    fc.property(fc.string(), (reference) => {
      assert.match(generatedName(reference), new RegExp(namePattern));
    }),
  );
  assert.equal(generatedName("a".repeat(400)).length, limits.nameLength);
});

test("every name gives a host name that the contract allows", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (name) => {
      assert.match(hostnameFor(name), new RegExp(hostnamePattern));
    }),
  );
  assert.equal(hostnameFor("Web_1.example"), "web-1-example");
  assert.equal(hostnameFor("___"), "instance");
  assert.equal(hostnameFor(`${"a".repeat(62)}-b`), "a".repeat(62));
});
