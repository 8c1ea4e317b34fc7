import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../../../test/kit/until.ts";
import { fakeAccount } from "./fake-core.ts";
import { restServer } from "./http-test-kit.ts";

const output = ({ output: text }: { output: string }) => Buffer.from(text, "base64").toString();

test("log: windows by query, by body and by uuid, with their ranges", async (context) => {
  const { send, make } = await restServer(context);
  const uuid = await make("a");
  const whole = (await send("GET", "/v1/instances/log?name=a")).json.data.instances[0];
  assert.equal(output(whole), "a says hello\n");
  assert.deepEqual(whole.available, { start: 0, end: 13 });
  for (const [path, body] of [
    [`${uuid}/log?offset=-6&limit=5`, undefined],
    [`${uuid}/log`, { offset: -6, limit: 5 }],
    ["log?name=a&offset=-6&limit=5", undefined],
    ["log", [{ name: "a", offset: -6, limit: 5 }]],
  ] as const) {
    const [window] = (await send("GET", `/v1/instances/${path}`, body)).json.data.instances;
    assert.equal(output(window), "hello", path);
    assert.deepEqual(window.range, { start: 7, end: 12 });
  }
});

test("log: parallel lists belong to uuids first, then names; a single value to all", async (context) => {
  const { send, make } = await restServer(context);
  await make("a");
  const uuid = await make("b");
  const query = `name=a&uuid=${uuid}&offset=0&offset=2&limit=1`;
  const { json } = await send("GET", `/v1/instances/log?${query}`);
  assert.deepEqual(json.data.instances.map(output), ["b", "s"]);
  const tooMany = await send("GET", "/v1/instances/log?name=a&offset=0&offset=1");
  assert.equal(tooMany.status, 400);
});

test("wait: at once when the state is there, an error without code when it does not come", async (context) => {
  const { send, make } = await restServer(context);
  const uuid = await make("a");
  const there = await send("GET", `/v1/instances/${uuid}/wait?state=stopped`);
  assert.deepEqual(there.json.data.instances, [{ status: "success", uuid, name: "a", state: "stopped" }]);
  for (const [path, body] of [
    ["wait?name=a&timeout_s=0", undefined],
    ["wait?name=a&state=running&timeout_ms=1500", undefined],
    [`${uuid}/wait`, { state: "running", timeout_s: 1 }],
    ["wait", [{ uuid, timeout_s: 1 }]],
  ] as const) {
    const { json } = await send("GET", `/v1/instances/${path}`, body);
    assert.deepEqual([json.status, json.message], ["error", "Operation timed out"], path);
    assert.deepEqual(json.data.instances, [{ status: "error", uuid, name: "a", state: "stopped" }]);
  }
});

test("wait: the call ends when its client goes", async (context) => {
  const { core, address, make } = await restServer(context);
  await make("a");
  core.hold = true;
  const leaving = new AbortController();
  const waiting = fetch(`http://${address}/v1/instances/wait?name=a&state=running`, {
    headers: { authorization: "Bearer a-token" },
    signal: leaving.signal,
  });
  await until("the wait began", () => core.waiting.size === 1);
  leaving.abort();
  await assert.rejects(waiting);
  await until("the wait ended", () => core.waiting.size === 0);
});

test("metrics: JSON when asked for, Prometheus text otherwise", async (context) => {
  const { send, make } = await restServer(context);
  const uuid = await make("a");
  const [measured] = (await send("GET", "/v1/instances/metrics?name=a")).json.data.instances;
  assert.equal(measured.cpu_time_ms, 12);
  assert.equal(measured.ntotal, 0);
  const { type, text } = await send("GET", `/v1/instances/${uuid}/metrics`, undefined, { accept: "*/*" });
  assert.match(type, /^text\/plain/);
  assert.match(text, new RegExp(`^instance_state\\{instance_uuid="${uuid}",instance_name="a"\\} 0$`, "m"));
  assert.match(text, /^# TYPE instance_cpu_time_ms counter$/m);
});

test("images, image store, quotas and metros", async (context) => {
  const { send } = await restServer(context);
  for (const path of ["/v1/images", "/v1/image-store", "/v1/images?tag=latest&details=true&namespace=a"]) {
    assert.equal((await send("GET", path)).json.data.images.length, 1, path);
  }
  assert.deepEqual((await send("GET", "/v1/images?tag=other")).json.data.images, []);
  const mine = await send("GET", "/v1/users/quotas");
  assert.equal(mine.json.data.quotas[0].uuid, fakeAccount);
  assert.equal((await send("GET", `/v1/users/${fakeAccount}/quotas`)).json.status, "success");
  const other = await send("GET", "/v1/users/00000000-0000-4000-8000-000000000000/quotas");
  assert.equal(other.json.data.quotas[0].error, 8);
  assert.equal((await send("GET", "/v1/metros")).json.data.metros[0].name, "local");
});

test("images are pinned, waited for and unpinned; each failure stays with its item", async (context) => {
  const { send } = await restServer(context);
  const pin = async (...body: readonly object[]) => (await send("POST", "/v1/images", body)).json;
  assert.equal((await pin({ url: "hello", timeout_s: 1 })).data.images[0].state, "pending");
  const both = await pin({ url: "hello", timeout_s: -1 }, { url: "none", timeout_s: -1 });
  assert.equal(both.status, "partial_success");
  const [ready, failed] = both.data.images;
  assert.deepEqual([ready.state, ready.persistent], ["ready", true]);
  assert.deepEqual([failed.status, failed.error, failed.uuid], ["error", 8, undefined]);
  assert.equal((await send("GET", "/v1/images")).json.data.images[0].persistent, true);
  const zero = await send("POST", "/v1/images", [{ url: "hello", timeout_s: 0 }]);
  assert.deepEqual([zero.status, zero.json.message], [400, "Member 'timeout_s' must not be 0"]);
  const secret = await send("POST", "/v1/images", [{ url: "hello", timeout_s: 1, credentials: "s3cret" }]);
  assert.deepEqual([secret.status, /s3cret/.test(JSON.stringify(secret.json))], [400, false]);
  const { uuid } = ready;
  assert.equal((await send("DELETE", "/v1/images", [{ uuid }])).json.data.images[0].name, "hello");
  assert.equal((await send("DELETE", "/v1/images", [{ uuid }])).json.data.images[0].error, 8);
  assert.equal((await send("DELETE", "/v1/images", [{ uuid: "x" }])).status, 400);
});

test("healthz needs no token and then shows no versions; a wrong token is refused", async (context) => {
  const { address } = await restServer(context);
  const read = async (headers: Record<string, string>) => {
    const reply = await fetch(`http://${address}/v1/healthz`, { headers });
    return { status: reply.status, json: (await reply.json()) as { data?: object } };
  };
  assert.deepEqual((await read({})).json.data, {
    checks: { images: "healthy" },
    accelerator: { name: "tcg" },
  });
  const known = await read({ authorization: "Bearer a-token" });
  assert.deepEqual((known.json.data as { versions: object }).versions, { unid: "0.1.0" });
  assert.equal((await read({ authorization: "Bearer wrong" })).status, 401);
});

test("the OpenAPI document is served to everybody", async (context) => {
  const { address } = await restServer(context);
  const document = (await (await fetch(`http://${address}/v1/openapi.json`)).json()) as { openapi: string };
  assert.equal(document.openapi, "3.1.0");
});

test("a GET that names a content type and sends nothing has no body", async (context) => {
  const { send, make } = await restServer(context);
  await make("a");
  const { json } = await send("GET", "/v1/instances", undefined, { "content-type": "application/json" });
  assert.equal(json.data.instances.length, 1);
});
