import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseChallenges } from "./challenge.ts";

const read = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test("challenges are read with commas and quotes inside their parameters", () => {
  assert.deepEqual(
    read('Bearer realm="https://auth.example.com/token",service="a, \\"b\\"",scope="repository:x:pull,push"'),
    [
      [
        "bearer",
        { realm: "https://auth.example.com/token", service: 'a, "b"', scope: "repository:x:pull,push" },
      ],
    ],
  );
});

test("several challenges, and those of other kinds", () => {
  assert.deepEqual(read('Negotiate, Basic realm=plain, ,BEARER Realm = "r"'), [
    ["negotiate", {}],
    ["basic", { realm: "plain" }],
    ["bearer", { realm: "r" }],
  ]);
  assert.deepEqual(read('Negotiate YWJjZA==, Basic realm="r"'), [
    ["negotiate", {}],
    ["basic", { realm: "r" }],
  ]);
});

test("what is broken ends the list; what came before it stands", () => {
  assert.deepEqual(read('Basic realm="a", Bearer realm="never ends'), [
    ["basic", { realm: "a" }],
    ["bearer", {}],
    ["realm", {}],
  ]);
  assert.deepEqual(read(""), []);
  assert.deepEqual(read("(((("), []);
  assert.deepEqual(read(`Basic realm="${"a".repeat(9000)}"`), []);
  assert.ok(read(Array(100).fill("Basic").join(",")).length <= 16);
});

test("whatever the header, reading it ends", () => {
  const pieces = fc.constantFrom("Basic", "Bearer", " ", ",", "=", '"', "\\", "realm", "a==", "\t", "é");
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 200 }), (parts) => {
      for (const { scheme, parameters } of parseChallenges(parts.join(""))) {
        assert.ok(scheme !== "" && parameters.size <= 32);
      }
    }),
    { numRuns: 1000 },
  );
});
