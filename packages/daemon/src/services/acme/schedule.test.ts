import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { challengesFor, nextAttempt, renewalTime } from "./schedule.ts";

const hourMs = 3_600_000;
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("a name is tried at most five times in the first hour, and once a day in the end", () => {
  let now = 0;
  let failures = 0;
  const tries = [now];
  while (failures < 20) {
    failures += 1;
    now = nextAttempt(now, failures, undefined, 0);
    tries.push(now);
  }
  assert.ok(tries.filter((at) => at < hourMs).length <= 5);
  assert.ok(now - (tries.at(-2) ?? 0) >= 21 * hourMs);
});

test("every delay lies in its bounds, and what the authority asks for comes first", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.nat(), random, (failures, retryAfterMs, part) => {
      const delay = nextAttempt(5, failures, retryAfterMs, part) - 5;
      const week = 7 * 24 * hourMs;
      assert.ok(delay >= Math.min(retryAfterMs, week) && delay >= 27_000);
      assert.ok(delay <= Math.max(week, 27 * hourMs));
    }),
  );
});

test("renewal is at two thirds of the life or up to a twentieth earlier", () => {
  assert.equal(renewalTime(0, 300, 0), 200);
  assert.equal(renewalTime(1_000, 1_300, 0.999_999), 1_185);
});

test("kinds of proof: the one that was chosen, else all in turn; wildcards by DNS alone", () => {
  assert.deepEqual(challengesFor("www.example.com", undefined, false), ["http-01", "tls-alpn-01"]);
  assert.deepEqual(challengesFor("www.example.com", undefined, true), ["http-01", "tls-alpn-01", "dns-01"]);
  assert.deepEqual(challengesFor("www.example.com", "tls-alpn-01", true), ["tls-alpn-01"]);
  assert.deepEqual(challengesFor("*.example.com", "http-01", true), ["dns-01"]);
  assert.deepEqual(challengesFor("*.example.com", undefined, false), []);
});
