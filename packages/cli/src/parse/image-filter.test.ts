import assert from "node:assert/strict";
import { test } from "node:test";
import type { ImageDetail } from "@uni/contract/rpc";
import { fitsPattern, parseImageFilter } from "./image-filter.ts";

const image = (name: string, day: number, labels: Record<string, string> = {}) =>
  ({
    digest: `sha256:${`${day}a`.repeat(32)}`,
    references: name === "" ? [] : [name],
    created_at: `2026-01-0${day}T00:00:00Z`,
    config: { labels },
  }) as unknown as ImageDetail;

const all = [
  image("web:1", 1, { tier: "front" }),
  image("registry.example.com:5000/team/web:2", 2, { tier: "" }),
  image("", 3),
];
const kept = (...filters: string[]): number[] => {
  const parsed = filters.map(parseImageFilter);
  return all.flatMap((each, index) => (parsed.every((fits) => fits(each, all)) ? [index] : []));
};

test("filters are those of Docker, and several are all to fit", () => {
  assert.deepEqual(kept("dangling=true"), [2]);
  assert.deepEqual(kept("dangling=false"), [0, 1]);
  assert.deepEqual(kept("label=tier"), [0, 1]);
  assert.deepEqual(kept("label=tier=front"), [0]);
  assert.deepEqual(kept("label=toString"), []);
  assert.deepEqual(kept("reference=web"), [0, 1]);
  assert.deepEqual(kept("reference=*:1"), [0]);
  assert.deepEqual(kept("since=web:1"), [1, 2]);
  assert.deepEqual(kept("before=3a3a3a"), [0, 1]);
  assert.deepEqual(kept("since=web:1", "dangling=false"), [1]);
});

test("what is no filter is refused with those there are", () => {
  for (const text of ["colour=red", "dangling", "dangling=maybe", "=x"]) {
    assert.throws(() => parseImageFilter(text), { code: "invalid_value", hint: /dangling=true/ }, text);
  }
  assert.throws(() => kept("before=none"), { code: "image_not_found" });
});

test("patterns fit names with and without host, path and tag", () => {
  const reference = "registry.example.com:5000/team/web:2";
  for (const pattern of ["web", "web:2", "w?b", "*/team/*", "registry.example.com:5000/team/web"]) {
    assert.ok(fitsPattern(reference, pattern), pattern);
  }
  for (const pattern of ["web:1", "team", "team/web"]) assert.ok(!fitsPattern(reference, pattern), pattern);
});
