import assert from "node:assert/strict";
import { test } from "node:test";
import { pullRequestOf } from "./pull-request.ts";

test("credentials are user and password, as they are or in base64", () => {
  const credentials = { username: "me", password: "a:b" };
  for (const text of ["me:a:b", Buffer.from("me:a:b").toString("base64")]) {
    assert.deepEqual(pullRequestOf({ credentials: text }).credentials, credentials, text);
  }
});

test("what is not said is as for any pull: if it is not here, shared with others", () => {
  assert.deepEqual(pullRequestOf({}), {
    policy: "if_not_present",
    credentials: undefined,
    headers: undefined,
    mergeRequests: undefined,
  });
  const said = pullRequestOf({ pull_policy: "always", headers: { a: "b" }, merge_requests: false });
  assert.deepEqual([said.policy, said.headers, said.mergeRequests], ["always", { a: "b" }, false]);
});
