import assert from "node:assert/strict";
import { test } from "node:test";
import { errorTable } from "@uni/contract/errors";
import { operations } from "@uni/contract/operations";
import { rpcMethods } from "@uni/contract/rpc-methods";
import fc from "fast-check";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { createFakeCore, fakeAccount } from "./fake-core.ts";
import { fakeImage } from "./fake-instances.ts";
import { handleRpc, type RpcOutcome } from "./rpc-handle.ts";
import { createRpcServices } from "./rpc-services.ts";

const context = { account: fakeAccount, signal: new AbortController().signal, log: silentLog };

function server() {
  const core = createFakeCore();
  const services = createRpcServices(core, systemClock);
  const send = (line: string) => handleRpc(services, line, context);
  const call = async (method: string, params?: unknown) => {
    const reply = read(await send(JSON.stringify({ jsonrpc: "2.0", id: 7, method, params })));
    assert.equal(reply.id, 7);
    return reply;
  };
  const result = async (method: string, params?: unknown) => {
    const reply = await call(method, params);
    assert.equal(reply.error, undefined, JSON.stringify(reply.error));
    return reply.result;
  };
  return { core, send, call, result };
}

// biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
function read(outcome: RpcOutcome): any {
  assert.notEqual(outcome.kind, "none");
  const { line } = outcome as { line: string };
  assert.ok(line.endsWith("\n") && line.indexOf("\n") === line.length - 1);
  const reply = JSON.parse(line);
  assert.equal(reply.jsonrpc, "2.0");
  return reply;
}

test("every method and every operation is served", async () => {
  const { call } = server();
  for (const name of [...Object.keys(rpcMethods), ...Object.keys(operations)]) {
    const { error } = await call(name, { "no such member": 1 });
    assert.equal(error.code, -32602, name);
    assert.equal(
      error.data.code === "unknown_member" || error.message === "Missing member 'uuid'",
      true,
      name,
    );
  }
});

test("an operation answers the envelope that HTTP would send", async () => {
  const { core, call, result } = server();
  const created = await result("createInstance", { body: { name: "a", image: fakeImage } });
  assert.equal(created.status, "success");
  const { uuid } = created.data.instances[0];
  const list = await result("getInstances", { name: ["a", "b"], details: false });
  assert.equal(list.status, "partial_success");
  assert.equal((await result("stopInstanceByUuid", { uuid, body: { force: true } })).status, "success");
  assert.equal((await result("getInstanceMetrics", {})).data.instances[0].uuid, uuid);
  assert.deepEqual((await result("healthz")).data.versions, { unid: "0.1.0" });
  assert.equal((await call("startInstances", { body: [{}] })).error.code, -32000);
  assert.equal((await call("getInstances", { count: "1" })).error.code, -32602);
  assert.equal(core.entries.size, 1);
});

test("run makes a started instance out of a person's words", async () => {
  const { core, result } = server();
  const info = await result("VM.Run", {
    image: fakeImage,
    name: "web",
    args: ["-v"],
    env: ["A=b=c", "EMPTY="],
    memory: "1G",
    cpus: 2,
    port_maps: [{ host_port: 8080, guest_port: 80, protocol: "tcp" }],
    restart: { policy: "on-failure", max_retries: 3 },
    wait_s: 5,
  });
  assert.deepEqual(
    [info.name, info.state, info.image, info.memory, info.vcpus, info.ip, info.accelerator],
    ["web", "running", fakeImage, 1024, 2, "10.0.0.2", "tcg"],
  );
  assert.deepEqual(core.entries.get(info.id)?.instance.env, { A: "b=c", EMPTY: "" });
  const removed = await result("VM.Run", { image: fakeImage, auto_remove: true, autostart: false });
  assert.equal(removed.state, "stopped");
  assert.equal(removed.memory, 256);
  assert.deepEqual(core.entries.get(removed.id)?.instance.features, ["delete-on-stop"]);
});

test("run refuses what it cannot do", async () => {
  const { core, call } = server();
  for (const [params, message] of [
    [{}, "Missing member 'image'"],
    [{ image: fakeImage, image_path: "x" }, "Only one of 'image' and 'image_path' can be given"],
    [{ image: fakeImage, vcpus: 1, cpus: 1 }, "Only one of 'vcpus' and 'cpus' can be given"],
    [{ image: fakeImage, memory: "much" }, "Member 'memory' is no size: 'much'"],
    [{ image: fakeImage, memory: "1M" }, "Member 'memory' must be between 16 and 1048576, not 1"],
    [{ image: fakeImage, env: ["=x"] }, "Member 'env' has an item that is not KEY=VALUE: '=x'"],
    [{ image: fakeImage, volumes: [{}] }, "Member 'volumes' is not supported yet"],
    [{ image: fakeImage, network_name: "n" }, "Member 'network_name' is not supported yet"],
    [{ image: fakeImage, disk_iops: 5 }, "Member 'disk_iops' is not supported yet"],
    [
      { image: fakeImage, auto_remove: true, restart: { policy: "always" } },
      "Feature 'delete-on-stop' needs 'restart_policy' to be 'never'",
    ],
  ] as const) {
    assert.equal((await call("VM.Run", params)).error.message, message);
  }
  assert.equal(core.entries.size, 0);
});

test("the life of an instance by name, uuid and prefix", async () => {
  const { core, call, result } = server();
  const { id } = await result("VM.Run", { image: fakeImage, name: "web" });
  assert.equal((await result("VM.Get", { id: id.slice(0, 8) })).name, "web");
  const detail = await result("VM.Inspect", { id: "web" });
  assert.deepEqual([detail.id, detail.uuid, detail.type, detail.memory], [id, id, "micro", 256]);
  assert.equal((await result("VM.Stats", {}))[0].id, id);
  assert.equal((await result("VM.Stats", { id }))[0].cpu_pct, 1.5);

  const early = await call("VM.Remove", { id });
  assert.equal(early.error.data.code, "wrong_state");
  assert.ok(early.error.data.hint);
  assert.equal((await result("VM.Stop", { id, grace_s: 1 })).state, "stopped");
  assert.deepEqual(await result("VM.List", { all: false }), []);
  assert.equal((await result("VM.List"))[0].id, id);
  const waiting = { attempt: 1, next_at: "2026-01-01T00:00:09.000Z" };
  Object.assign(core.entries.get(id)?.instance ?? {}, { restart: waiting });
  assert.equal((await result("VM.List", { all: false }))[0].restart_at, waiting.next_at);
  Object.assign(core.entries.get(id)?.instance ?? {}, { restart: undefined });
  assert.equal((await result("VM.Start", { id })).state, "running");
  assert.equal((await result("VM.Restart", { id })).state, "running");
  assert.deepEqual(await result("VM.Signal", { id, signal: "HUP" }), { status: "ok" });
  assert.deepEqual(await result("VM.Kill", { id, signal: "9" }), { status: "ok" });
  assert.equal(core.entries.get(id)?.instance.state, "running");
  assert.deepEqual(await result("VM.Logs", { id }), { id, logs: "web says hello\ngot SIGHUP\ngot 9\n" });
  assert.deepEqual(await result("VM.Kill", { id }), { status: "ok" });
  assert.equal(core.entries.get(id)?.instance.state, "stopped");
  assert.deepEqual(await result("VM.Wait", { id }), { exit_code: 0, state: "stopped" });
  const updates = [{ prop: "tags", op: "set", value: ["x"] }];
  assert.deepEqual((await result("VM.Update", { id, updates })).tags, ["x"]);
  assert.deepEqual(await result("VM.Remove", { id }), { status: "ok", id, name: "web" });
  assert.equal((await call("VM.Get", { id })).error.data.code, "not_found");
});

test("an ambiguous prefix is refused", async () => {
  const { core, call, result } = server();
  const { id } = await result("VM.Run", { image: fakeImage });
  const entry = core.entries.get(id);
  assert.ok(entry);
  const twin = `${id.slice(0, 30)}000000`;
  core.entries.set(twin, { ...entry, instance: { ...entry.instance, uuid: twin, name: "twin" } });
  assert.equal((await call("VM.Get", { id: id.slice(0, 8) })).error.data.code, "ambiguous");
});

test("images, kernels and the daemon", async () => {
  const { call, result } = server();
  assert.equal((await result("Image.List"))[0].references[0], "hello:latest");
  assert.equal((await result("Image.Get", { reference: "hello" })).architecture, "amd64");
  assert.equal((await result("Image.History", { reference: "hello" }))[0].created_by, "COPY hello /");
  assert.deepEqual(await result("Image.Search", { term: "hell" }), [
    { name: "hello", tags: ["latest"], tag_count: 1 },
  ]);
  assert.deepEqual(await result("Image.Pins"), []);
  await result("pinImages", { body: [{ url: "hello", timeout_s: 1 }] });
  assert.equal((await result("Image.Pins"))[0].url, "hello");
  assert.deepEqual(await result("Image.Tag", { source: "hello", reference: "b:1" }), { status: "ok" });
  assert.deepEqual(await result("Image.Prune"), { freed_bytes: 1024 });
  assert.deepEqual(await result("Image.Prune", { build_cache: true }), { freed_bytes: 2048 });
  assert.deepEqual(await result("Image.Prune", { boot_cache: true }), { freed_bytes: 5120 });
  assert.equal((await result("Image.Remove", { reference: "hello" })).deleted, true);
  assert.equal((await call("Image.Get", { reference: "none" })).error.data.code, "image_not_found");
  assert.equal((await result("Kernel.List"))[0].current, true);
  assert.equal((await result("Kernel.Use", { version: "6.1.0-1" })).version, "6.1.0-1");
  assert.equal((await result("Kernel.Check")).update_available, false);
  assert.deepEqual(await result("Kernel.Remove", { version: "5" }), { status: "ok" });
  assert.equal((await call("Kernel.Remove", { version: "6.1.0-1" })).error.data.code, "in_use");
  assert.deepEqual(await result("Daemon.Version"), { version: "0.1.0" });
  assert.equal((await result("Daemon.Info")).accelerator, "tcg");
  assert.equal((await result("Daemon.Doctor")).healthy, true);
});

test("what is no request gets the code of the specification", async () => {
  const { send } = server();
  for (const [line, code, id] of [
    ["{", -32700, null],
    ["[]", -32600, null],
    ["5", -32600, null],
    ["null", -32600, null],
    ['{"id":3,"method":"VM.List"}', -32600, 3],
    ['{"jsonrpc":"2.0","id":3}', -32600, 3],
    ['{"jsonrpc":"2.0","id":{},"method":"VM.List"}', -32600, null],
    ['{"jsonrpc":"2.0","id":3,"method":"VM.List","params":[]}', -32600, 3],
    ['{"jsonrpc":"2.0","id":"x","method":"VM.Nothing"}', -32601, "x"],
    ['{"jsonrpc":"2.0","id":3,"method":"constructor"}', -32601, 3],
    ['{"jsonrpc":"2.0","id":3,"method":"VM.Get","params":{}}', -32602, 3],
    ['{"jsonrpc":"2.0","id":3,"method":"VM.Get","params":{"id":"x"}}', -32000, 3],
  ] as const) {
    const reply = read(await send(line));
    assert.deepEqual([reply.error.code, reply.id], [code, id], line);
    assert.ok(Object.hasOwn(errorTable, reply.error.data.code), line);
    assert.equal(reply.error.data.message, reply.error.message);
  }
});

test("a notification is carried out and not answered", async () => {
  const { core, send } = server();
  const run = { jsonrpc: "2.0", method: "VM.Run", params: { image: fakeImage } };
  assert.equal((await send(JSON.stringify(run))).kind, "none");
  assert.equal(core.entries.size, 1);
  assert.equal((await send('{"jsonrpc":"2.0","method":"VM.Nothing"}')).kind, "none");
});

test("the daemon shuts down only after it has answered", async () => {
  const { core, send } = server();
  const outcome = await send(
    '{"jsonrpc":"2.0","id":1,"method":"Daemon.Shutdown","params":{"stop_instances":true}}',
  );
  assert.deepEqual(read(outcome).result, { status: "ok" });
  assert.deepEqual(core.shutdowns, []);
  (outcome as { after?: () => void }).after?.();
  assert.deepEqual(core.shutdowns, [true]);
});

test("any line is answered or is a notification; nothing throws", async () => {
  const { core, send } = server();
  const methods = fc.constantFrom(...Object.keys(rpcMethods), ...Object.keys(operations));
  const request = fc.record({
    jsonrpc: fc.constant("2.0"),
    id: fc.jsonValue(),
    method: methods,
    params: fc.jsonValue(),
  });
  const line = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    request.map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(line, async (text) => {
      const outcome = await send(text);
      if (outcome.kind === "reply") read(outcome);
    }),
    { numRuns: 500 },
  );
  assert.equal(core.entries.size, 0);
});
