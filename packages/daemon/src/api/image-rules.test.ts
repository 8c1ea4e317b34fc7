import assert from "node:assert/strict";
import { test } from "node:test";
import { readImage } from "./image-rules.ts";

test("an image is its reference where nothing is said of its pull", () => {
  assert.equal(readImage("hello"), "hello");
  assert.equal(readImage({ url: "hello", pull_policy: "if_not_present", merge_requests: true }), "hello");
  assert.equal(readImage({ url: "hello", headers: {} }), "hello");
  assert.deepEqual(readImage("hello", "always"), { url: "hello", pull_policy: "always" });
  assert.equal(readImage({ url: "hello", pull_policy: "if_not_present" }, "always"), "hello");
  const whole = { url: "hello", credentials: "me:pw", headers: { "X-A": "b" }, merge_requests: false };
  assert.deepEqual(readImage(whole, "never"), { ...whole, pull_policy: "never" });
});

test("credentials that cannot be read are refused, and not repeated", () => {
  for (const credentials of ["secret", ":secret", Buffer.from("secret").toString("base64")]) {
    assert.throws(
      () => readImage({ url: "hello", credentials }),
      (error: Error) => /neither 'user:password'/.test(error.message) && !error.message.includes(credentials),
    );
  }
});

test("headers that belong to the protocol, or are none, are refused", () => {
  for (const [name, value] of [
    ["Authorization", "Basic eA=="],
    ["Range", "bytes=0-"],
    ["Proxy-Authorization", "x"],
    ["a b", "x"],
    ["X-A", "b\r\nHost: c"],
  ] as const) {
    assert.throws(() => readImage({ url: "hello", headers: { [name]: value } }), { code: "invalid_value" });
  }
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`x-${index}`, "a"]));
  assert.throws(() => readImage({ url: "hello", headers: many }), /more than 32/);
});
