import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AcmeProblem, describe, readRetryAfter } from "./problem.ts";

test("whatever an authority sends becomes one short printable line", () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), fc.anything(), (type, detail, subproblems) => {
      const text = describe({ type, detail, subproblems });
      assert.ok(text.length < 800);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
      assert.doesNotMatch(text, /[\x00-\x1f\x7f]/);
    }),
  );
});

test("type, details and their parts are shown, with what to do", () => {
  const type = "urn:ietf:params:acme:error:rateLimited";
  const problem = new AcmeProblem(
    "order",
    { type, detail: "too many", subproblems: [{ detail: "of one" }] },
    5,
  );
  assert.deepEqual(
    [problem.code, problem.type, problem.message, problem.retryAfterMs],
    ["acme_failed", "rateLimited", "order: too many; of one (rateLimited)", 5],
  );
  assert.match(problem.hint ?? "", /limits are reached/);
});

test("Retry-After is seconds or a date, and else nothing", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  assert.equal(readRetryAfter("120", now), 120_000);
  assert.equal(readRetryAfter("Thu, 01 Jan 2026 00:01:00 GMT", now), 60_000);
  assert.equal(readRetryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now), 0);
  for (const text of ["soon", "", "-5x", undefined]) assert.equal(readRetryAfter(text, now), undefined);
});
