import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalReference, parseReference } from "./reference.ts";

const hub = ["docker", "io"].join(".");

const canonical: readonly (readonly [given: string, kept: string])[] = [
  ["hello", "hello:latest"],
  ["hello:1.2", "hello:1.2"],
  ["team/hello", "team/hello:latest"],
  ["a__b/c-d.e:V_1", "a__b/c-d.e:V_1"],
  ["registry.example.com/team/hello:1", "registry.example.com/team/hello:1"],
  ["registry.example.com:5000/hello", "registry.example.com:5000/hello:latest"],
  ["localhost/hello", "localhost/hello:latest"],
  [`${hub}/library/debian:bookworm-slim`, "debian:bookworm-slim"],
  [`${hub}/team/hello`, "team/hello:latest"],
];

for (const [given, kept] of canonical) {
  test(`${given} is kept as ${kept}`, () => assert.equal(canonicalReference(given), kept));
}

const bad = [
  "",
  ":tag",
  "hello:",
  "Hello",
  "he llo",
  "-hello",
  "hello-",
  "a//b",
  "/hello",
  "hello/",
  "../hello",
  "a..b",
  "hello:tag:tag",
  `hello:${"t".repeat(129)}`,
  "n".repeat(256),
  "registry_.example.com:x/hello",
  "hello\n",
  "hello@sha256:abc",
];

for (const given of bad) {
  test(`${JSON.stringify(given.slice(0, 40))} is no name`, () => {
    assert.throws(() => canonicalReference(given), { code: "invalid_value" });
  });
}

test("a capital letter brings the name that was meant", () => {
  assert.throws(() => canonicalReference("Hello"), { message: /did you mean "hello"/ });
});

test("a digest is part of a reference and not of a name", () => {
  const digest = `sha256:${"0a".repeat(32)}`;
  assert.deepEqual(parseReference(`hello:1@${digest}`), { name: "hello", tag: "1", digest });
  assert.throws(() => canonicalReference(`hello@${digest}`), { code: "invalid_value" });
});
