/** Several instances at one instant, over REST. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { restServer } from "./http-test-kit.ts";

async function withTwo(context: TestContext) {
  const { send } = await restServer(context);
  for (const name of ["web", "db"]) await send("POST", "/v1/instances", { name, image: "hello" });
  return send;
}
const both = [{ name: "web" }, { name: "db" }];
const namesOf = ({ data }: { data: { instances: { name: string; status: string }[] } }) =>
  data.instances.map(({ name, status }) => [name, status]);

test("a set is branched, kept and rewound by one request each", async (context) => {
  const send = await withTwo(context);
  const copies = await send("PUT", "/v1/instances/branch", { instances: both, suffix: "copy" });
  assert.deepEqual(namesOf(copies.json), [
    ["web-copy", "success"],
    ["db-copy", "success"],
  ]);
  const kept = await send("PUT", "/v1/instances/checkpoint", {
    ...{ instances: both, suffix: "before", tags: ["x"] },
  });
  assert.deepEqual(namesOf(kept.json), [
    ["web-before", "success"],
    ["db-before", "success"],
  ]);
  assert.deepEqual(kept.json.data.instances[0].tags, ["x"]);
  const rewinds = both.map((instance) => ({ instance, checkpoint: { name: `${instance.name}-before` } }));
  const rewound = await send("PUT", "/v1/instances/rewind", { rewinds });
  assert.deepEqual(namesOf(rewound.json), [
    ["web", "success"],
    ["db", "success"],
  ]);
});

test("what is wrong with one of a set is wrong with all of it", async (context) => {
  const send = await withTwo(context);
  const refused: [string, object, number, string][] = [
    ["branch", { instances: [...both, { name: "none" }] }, 404, "not_found"],
    ["branch", { instances: [{ name: "web" }, { name: "web" }] }, 400, "invalid_value"],
    ["branch", { instances: both, name: "copy" }, 400, "exclusive"],
    ["branch", { instances: [{ name: "web" }], name: "a", suffix: "b" }, 400, "exclusive"],
    ["branch", { instances: [] }, 400, "invalid_value"],
    ["checkpoint", { instances: [{ name: "web", uuid: "x" }] }, 400, "exclusive"],
    ["rewind", { rewinds: [{ instance: { name: "web" }, checkpoint: { name: "none" } }] }, 404, "not_found"],
  ];
  for (const [verb, body, status, code] of refused) {
    const answer = await send("PUT", `/v1/instances/${verb}`, body);
    assert.deepEqual([answer.status, answer.json.errors[0].code], [status, code], JSON.stringify(body));
  }
  assert.equal((await send("GET", "/v1/instances")).json.data.instances.length, 2);
});
