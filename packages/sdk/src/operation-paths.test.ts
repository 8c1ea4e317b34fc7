import assert from "node:assert/strict";
import { test } from "node:test";
import { operations } from "@uni/contract/operations";
import { matchOperation, operationPaths } from "./operation-paths.ts";

test("the paths are those of the contract", () => {
  const wanted = Object.entries(operations).map(([id, { method, path }]) => [id, `${method} ${path}`]);
  assert.deepEqual(Object.entries(operationPaths).sort(), wanted.sort());
});

test("a method and a path name an operation", () => {
  assert.deepEqual(matchOperation("GET", "/v1/instances"), { id: "getInstances", params: {} });
  assert.deepEqual(matchOperation("GET", "/v1/instances/"), { id: "getInstances", params: {} });
  assert.deepEqual(matchOperation("PUT", "/v1/instances/a%20b/stop"), {
    id: "stopInstanceByUuid",
    params: { uuid: "a b" },
  });
});

test("a fixed path wins over one with a uuid", () => {
  assert.equal(matchOperation("GET", "/v1/instances/log")?.id, "getInstanceLogs");
  assert.equal(matchOperation("GET", "/v1/instances/logs")?.id, "getInstanceByUuid");
});

test("what is not there is not found", () => {
  assert.equal(matchOperation("POST", "/v1/instances/x"), undefined);
  assert.equal(matchOperation("GET", "/v2/instances"), undefined);
});
