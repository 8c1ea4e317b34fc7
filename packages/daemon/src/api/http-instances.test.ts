import assert from "node:assert/strict";
import { test } from "node:test";
import { restServer } from "./http-test-kit.ts";

const nobody = "00000000-0000-4000-8000-000000000000";

test("create answers one entry per instance, for one object and for a list", async (context) => {
  const { send } = await restServer(context);
  const one = await send("POST", "/v1/instances", {
    image: "hello",
    name: "a",
    replicas: 0,
    autostart: true,
  });
  assert.equal(one.status, 200);
  assert.equal(one.json.status, "success");
  assert.equal(typeof one.json.op_time_us, "number");
  assert.equal(one.json.data.instances[0].state, "running");
  assert.equal(one.json.data.instances[0].status, "success");
  const two = await send("POST", "/v1/instances", [{ image: "hello" }, { image: "hello", replicas: 1 }]);
  assert.equal(two.json.data.instances.length, 3);
});

test("create: what fails in one item stays with it", async (context) => {
  const { send } = await restServer(context);
  const { status, json } = await send("POST", "/v1/instances", [
    { image: "hello", name: "b" },
    { image: "none" },
  ]);
  assert.equal(status, 200);
  assert.equal(json.status, "partial_success");
  assert.equal(json.data.instances[1].error, 8);
  assert.equal(json.data.instances[1].code, "image_not_found");
  assert.equal(json.data.instances[1].hint, "uni images");
  const taken = await send("POST", "/v1/instances", { image: "hello", name: "b" });
  assert.deepEqual(
    [taken.status, taken.json.status, taken.json.message, taken.json.data.instances[0].error],
    [200, "error", "Failed to perform all operations", 23],
  );
});

test("create: a malformed item refuses the whole request before anything is made", async (context) => {
  const { core, send } = await restServer(context);
  const { status } = await send("POST", "/v1/instances", [{ image: "hello" }, { image: 5 }]);
  assert.equal(status, 400);
  assert.equal(core.entries.size, 0);
});

test("create: a wait that runs out marks the instances, without a code", async (context) => {
  const { core, send } = await restServer(context);
  core.hold = true;
  const { status, json } = await send("POST", "/v1/instances", {
    image: "hello",
    autostart: true,
    timeout_s: 1,
  });
  assert.deepEqual([status, json.status, json.message], [200, "error", "Operation timed out"]);
  assert.equal(json.data.instances[0].status, "error");
  assert.equal(json.data.instances[0].state, "starting");
  assert.equal(json.data.instances[0].error, undefined);
});

test("list leaves the item status out; look-ups carry it, in the order asked", async (context) => {
  const { send, make } = await restServer(context);
  const uuid = await make("a");
  await make("b");
  const all = await send("GET", "/v1/instances");
  assert.equal(all.json.data.instances.length, 2);
  assert.equal(all.json.data.instances[0].status, undefined);
  const some = await send("GET", `/v1/instances?name=none&uuid=${uuid.toUpperCase()}&details=false`);
  assert.equal(some.json.status, "partial_success");
  assert.deepEqual(some.json.data.instances, [
    { status: "success", uuid, name: "a" },
    { status: "error", name: "none", message: "No instance with name 'none'", error: 8, code: "not_found" },
  ]);
  const byBody = await send("GET", "/v1/instances", [{ name: "b" }]);
  assert.equal(byBody.json.data.instances[0].name, "b");
});

test("list pages behind a cursor that is not part of the page, in both directions", async (context) => {
  const { send, make } = await restServer(context);
  const uuids: string[] = [];
  for (const name of ["a", "b", "c"]) uuids.push(await make(name));
  const names = async (query: string) => {
    const { json } = await send("GET", `/v1/instances?${query}`);
    return json.data.instances.map(({ name }: { name: string }) => name).join("");
  };
  assert.equal(await names("count=2"), "ab");
  assert.equal(await names(`count=2&from=${uuids[1]}`), "c");
  assert.equal(await names("count=2&order=desc&sortby=create_time"), "cb");
  assert.equal(await names("count=0"), "abc");
});

test("list filters by tags, given as a list or with commas", async (context) => {
  const { send, make } = await restServer(context);
  await make("a", { tags: ["x", "y"] });
  await make("b", { tags: ["x"] });
  for (const query of ["tags=x&tags=y", "tags=x,y", "tags=x%2Cy"]) {
    const { json } = await send("GET", `/v1/instances?${query}`);
    assert.deepEqual(
      json.data.instances.map(({ name }: { name: string }) => name),
      ["a"],
      query,
    );
  }
});

test("by-uuid answers are lists of one; an unknown uuid is item code 8", async (context) => {
  const { send, make } = await restServer(context);
  const uuid = await make("a");
  const found = await send("GET", `/v1/instances/${uuid}`);
  assert.equal(found.json.data.instances[0].status, "success");
  const basics = await send("GET", `/v1/instances/${uuid}?details=false`);
  assert.deepEqual(basics.json.data.instances, [{ status: "success", uuid, name: "a" }]);
  for (const [method, path] of [
    ["GET", ""],
    ["DELETE", ""],
    ["PUT", "/start"],
    ["PUT", "/stop"],
    ["GET", "/wait"],
    ["GET", "/log"],
    ["GET", "/metrics"],
    ["GET", "/history"],
  ] as const) {
    const { status, json } = await send(method, `/v1/instances/${nobody}${path}`);
    assert.equal(status, 200, `${method} ${path}`);
    assert.equal(json.status, "error");
    assert.equal(json.data.instances[0].error, 8);
    assert.equal(json.data.instances[0].message, `No instance with uuid '${nobody}'`);
  }
});

test("start and stop answer state and previous state, in bulk and by uuid", async (context) => {
  const { send, make } = await restServer(context);
  const uuid = await make("a");
  const started = await send("PUT", "/v1/instances/start", [{ name: "a", timeout_s: 5 }]);
  assert.deepEqual(started.json.data.instances, [
    { status: "success", uuid, name: "a", state: "running", previous_state: "stopped" },
  ]);
  const other = await send("PUT", `/v1/instances/${uuid}/stop`, { ifstate: "standby" });
  assert.equal(other.json.data.instances[0].state, "running");
  const body = { force: true, drain_timeout_ms: -1, grace_period_s: 1, timeout_s: 5 };
  const stopped = await send("PUT", `/v1/instances/${uuid}/stop`, body);
  assert.equal(stopped.json.data.instances[0].previous_state, "running");
  const again = await send("PUT", `/v1/instances/${uuid}/start`);
  assert.equal(again.json.data.instances[0].state, "running");
});

test("a bulk call takes a single object as well", async (context) => {
  const { send, make } = await restServer(context);
  await make("a");
  const { json } = await send("PUT", "/v1/instances/start", { name: "a", metro: "fra" });
  assert.equal(json.data.instances[0].state, "running");
});

test("update applies items in order and echoes their ids", async (context) => {
  const { core, send, make } = await restServer(context);
  const uuid = await make("a");
  const { json } = await send("PATCH", "/v1/instances", [
    { name: "a", id: "1", prop: "tags", op: "set", value: ["x", "x"] },
    { name: "a", id: "2", prop: "tags", op: "add", value: ["y"] },
    { name: "none", id: "3", prop: "vcpus", op: "set", value: 2 },
  ]);
  assert.equal(json.status, "partial_success");
  assert.deepEqual(
    json.data.instances.map(({ id, status }: { id: string; status: string }) => [id, status]),
    [
      ["1", "success"],
      ["2", "success"],
      ["3", "error"],
    ],
  );
  assert.deepEqual(core.entries.get(uuid)?.instance.tags, ["x", "y"]);
  await send("PATCH", `/v1/instances/${uuid}`, { prop: "args", op: "set", value: "-v" });
  assert.deepEqual(core.entries.get(uuid)?.instance.args, ["-v"]);
  await send("PATCH", `/v1/instances/${uuid}`, { prop: "image", op: "set", value: { url: "other" } });
  assert.equal(core.entries.get(uuid)?.instance.image, "other");
});

test("delete says the state before, takes a wait in body or query, and honours the lock", async (context) => {
  const { core, send, make } = await restServer(context);
  const uuid = await make("a", { delete_lock: true });
  const locked = await send("DELETE", `/v1/instances/${uuid}`);
  assert.equal(locked.json.data.instances[0].error, 14);
  assert.equal(locked.json.data.instances[0].message, "Deletion protection enabled");
  await send("PATCH", `/v1/instances/${uuid}`, { prop: "delete_lock", op: "set", value: false });
  core.hold = true;
  const late = await send("DELETE", `/v1/instances/${uuid}?timeout_s=1`);
  assert.equal(late.json.message, "Operation timed out");
  core.hold = false;
  const gone = await send("DELETE", "/v1/instances", [{ name: "a", timeout_s: 1, dont_retain: true }]);
  assert.deepEqual(gone.json.data.instances, [
    { status: "success", uuid, name: "a", previous_state: "stopped" },
  ]);
});

test("a template or checkpoint is waited for as long as timeout_s says, and not without it", async (context) => {
  const { send, make } = await restServer(context);
  const expected = [
    [undefined, "success", "starting", "stopped"],
    [0, "success", "starting", "stopped"],
    [1, "error", "starting", "stopped"],
    [5, "success", "checkpoint", "template"],
    [-1, "success", "checkpoint", "template"],
  ] as const;
  for (const [timeout_s, status, checkpoint, template] of expected) {
    const name = `a${timeout_s}`.replace("-", "m");
    const uuid = await make(name);
    const kept = await send("POST", "/v1/instances/checkpoints", [{ from: { name }, timeout_s }]);
    const made = await send("POST", "/v1/instances/templates", [{ name, timeout_s }]);
    const [first] = kept.json.data.instances;
    assert.deepEqual([first.status, first.state, first.name], [status, checkpoint, `${name}-aaaaa`]);
    assert.deepEqual(made.json.data.instances, [{ status, uuid, name, state: template }]);
    const message = status === "error" ? "Operation timed out" : undefined;
    assert.deepEqual([kept.json.message, made.json.message], [message, message]);
  }
  const body = [{ from: { name: "a" }, timeout_s: -2 }];
  assert.equal((await send("POST", "/v1/instances/checkpoints", body)).status, 400);
});

test("history is empty; without references it is everybody's", async (context) => {
  const { send, make } = await restServer(context);
  const uuid = await make("a");
  const expected = [{ status: "success", uuid, name: "a", history: [] }];
  for (const path of ["history", "history?name=a", `${uuid}/history`]) {
    assert.deepEqual((await send("GET", `/v1/instances/${path}`)).json.data.instances, expected, path);
  }
});
