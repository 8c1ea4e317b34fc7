import assert from "node:assert/strict";
import { test } from "node:test";
import * as controlplane from "@unikraft/cloud/api/controlplane";
import * as platform from "@unikraft/cloud/api/platform";
import { operations, plannedRoutes } from "./operations.ts";
import { setOperations } from "./set-operations.ts";

/** The published SDK's clients have one method per operation. */
function sdkOperations(): Set<string> {
  const clients = [...Object.values(platform), ...Object.values(controlplane)] as { prototype?: object }[];
  return new Set(
    clients.flatMap(({ prototype }) => (prototype ? Object.getOwnPropertyNames(prototype) : [])),
  );
}

/** What its API cannot say. */
const own = Object.keys(setOperations);

test("operation ids are those of the published SDK, but for Uni's own", () => {
  const known = sdkOperations();
  assert.ok(known.size > 50);
  assert.deepEqual(
    Object.keys(operations).filter((id) => !known.has(id)),
    own,
  );
});

test("no route is there twice", () => {
  const served = Object.values(operations).map(({ method, path }) => `${method} ${path}`);
  const all = [...served, ...plannedRoutes.map(({ method, path }) => `${method} ${path}`)];
  assert.deepEqual(all.length, new Set(all).size);
});
