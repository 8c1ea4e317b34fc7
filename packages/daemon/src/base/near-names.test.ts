import assert from "node:assert/strict";
import { test } from "node:test";
import { nearHint, nearNames } from "./near-names.ts";

test("near names: another tag first, then small slips, and nothing far off", () => {
  const names = ["hello:latest", "hello:1", "help:latest", "postgres:16", "team/web:2"];
  assert.deepEqual(nearNames("hello:2", names).slice(0, 2), ["hello:1", "hello:latest"]);
  assert.deepEqual(nearNames("helo", names)[0], "hello:1");
  assert.deepEqual(nearNames("postgers", names), ["postgres:16"]);
  assert.deepEqual(nearNames("web", names)[0], "team/web:2");
  assert.deepEqual(nearNames("zzzzzzzz", names), []);
});

test("a hint names what is near, else says what it was given", () => {
  const names = ["web", "web-2", "db"];
  assert.equal(nearHint("wep", names, "See uni ps."), "Did you mean web?");
  assert.equal(nearHint("wbe", names, "See uni ps."), "Did you mean web?");
  assert.equal(nearHint("bd", names, "See uni ps."), "Did you mean db?");
  assert.equal(nearHint("web-3", names, "See uni ps."), "Did you mean web-2?");
  assert.equal(nearHint("cache", names, "See uni ps."), "See uni ps.");
  assert.equal(nearHint("w", ["web"]), undefined);
});

test("what nobody types by mistake is not compared", () => {
  const long = "x".repeat(200);
  assert.deepEqual(nearNames(`${long}y`, [`${long}z`]), []);
});
