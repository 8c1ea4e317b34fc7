import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openApiDocument } from "@uni/contract/openapi";
import { operations } from "@uni/contract/operations";

const committed = readFileSync(new URL("../../docs/reference/openapi.json", import.meta.url), "utf8");

test("the committed OpenAPI document is the one that the contract makes", () => {
  assert.deepEqual(
    JSON.parse(committed),
    JSON.parse(JSON.stringify(openApiDocument())),
    "run: node scripts/openapi.ts",
  );
});

test("every operation is in the document, under its own id", () => {
  const { paths } = JSON.parse(committed) as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  const ids = Object.values(paths).flatMap((path) =>
    Object.values(path).map(({ operationId }) => operationId),
  );
  assert.deepEqual(ids.toSorted(), Object.keys(operations).toSorted());
});

test("every reference in the document leads somewhere", () => {
  const { components } = JSON.parse(committed) as { components: Record<string, Record<string, unknown>> };
  const references = [...committed.matchAll(/"#\/components\/(\w+)\/(\w+)"/g)];
  assert.ok(references.length > 0);
  for (const [whole, kind = "", name = ""] of references) {
    assert.ok(Object.hasOwn(components[kind] ?? {}, name), `${whole} is missing`);
  }
});
