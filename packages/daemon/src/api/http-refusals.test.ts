import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { plannedRoutes } from "@uni/contract/operations";
import { until } from "../../../../test/kit/until.ts";
import { silentLog } from "../base/log.ts";
import { createFakeCore, fakeToken } from "./fake-core.ts";
import { startHttp } from "./http.ts";
import { type RestServer, restServer } from "./http-test-kit.ts";

/** Body of POST /v1/instances, and the message of the refusal. */
const refusedCreates: readonly (readonly [body: unknown, message: string])[] = [
  [undefined, "The request needs a JSON body"],
  [[], "body must have at least 1 item"],
  ["5", "body must be of type object or array, not number"],
  [{}, "Missing member 'image'"],
  [{ image: "hello", colour: "red" }, "Unknown member 'colour'"],
  [{ ["\u001b[2J".padEnd(1 << 20, "k")]: 1 }, `Unknown member '\\u001b[2J${"k".repeat(60)}…'`],
  ["[".repeat(1 << 20) + "]".repeat(1 << 20), "body, item 0, must be of type object, not array"],
  [{ image: "hello", ports: [{ host_port: 1, guest_port: 1, x: 1 }] }, "Unknown member 'x'"],
  [{ image: "hello", ports: [{ host_port: 1 }] }, "Missing member 'guest_port'"],
  [{ image: "hello", memory_mb: "64" }, "Member 'memory_mb' must be of type integer, not string"],
  [{ image: "hello", memory_mb: 1.5 }, "Member 'memory_mb' must be of type integer, not number"],
  [{ image: "hello", memory_mb: 8 }, "Member 'memory_mb' must be between 16 and 1048576, not 8"],
  [{ image: 5 }, "Member 'image' must be of type string or object, not number"],
  [{ image: { url: "hello", x: 1 } }, "Unknown member 'x'"],
  [{ image: "" }, "Member 'image' must not be empty"],
  [{ image: "hello", autostart: "yes" }, "Member 'autostart' must be of type boolean, not string"],
  [{ image: "hello", name: null }, "Member 'name' must be of type string, not null"],
  [{ image: "hello", name: "a b" }, "Member 'name' has characters that are not allowed: 'a b'"],
  [{ image: "hello", name: "a".repeat(256) }, "Member 'name' must be at most 255 characters, not 256"],
  [{ image: "hello", hostname: "-a" }, "Member 'hostname' has characters that are not allowed: '-a'"],
  [{ image: "hello", tags: ["a b"] }, "Member 'tags', item 0, has characters that are not allowed: 'a b'"],
  [{ image: "hello", tags: Array(17).fill("t") }, "Member 'tags' must have at most 16 items, not 17"],
  [{ image: "hello", env: { A: 1 } }, "Member 'env', key 'A', must be of type string, not number"],
  [{ image: "hello", env: { "A=B": "1" } }, "Member 'env' has the key 'A=B', which is not allowed"],
  [
    { image: "hello", annotations: { "a/b/c": "1" } },
    "Member 'annotations' has the key 'a/b/c', which is not allowed",
  ],
  [
    { image: "hello", annotations: { a: "\u0007" } },
    "Member 'annotations', key 'a', has characters that are not allowed: '\\u0007'",
  ],
  [
    { image: "hello", restart_policy: "maybe" },
    "Member 'restart_policy' must be one of 'never', 'always', 'on-failure', not 'maybe'",
  ],
  [{ image: "hello", replicas: -1 }, "Member 'replicas' must be between 0 and 252, not -1"],
  [{ template: { name: "t" }, pull_policy: "always" }, "Member 'pull_policy' needs 'image'"],
  [
    { image: "hello", pull_policy: "often" },
    "Member 'pull_policy' must be one of 'always', 'if_not_present', 'never', not 'often'",
  ],
  [{ image: "hello", timeout_s: 5 }, "Member 'timeout_s' needs 'autostart' to be true"],
  [{ image: "hello", wait_timeout_ms: 5 }, "Member 'wait_timeout_ms' needs 'autostart' to be true"],
  [
    { image: "hello", features: ["delete-on-stop"], restart_policy: "always" },
    "Feature 'delete-on-stop' needs 'restart_policy' to be 'never'",
  ],
  [
    { image: "hello", features: ["delete-on-stop"], scale_to_zero: { policy: "on" } },
    "Cannot specify 'scale_to_zero' with feature 'delete-on-stop'",
  ],
  [{ image: "hello", branch_from: { name: "a" } }, "Cannot specify 'image' when 'branch_from' is set"],
  [
    { branch_from: { name: "a" }, template: { name: "t" } },
    "Cannot specify 'branch_from' when creating an instance from a template",
  ],
  [
    { branch_from: { name: "a" }, vcpus: 2 },
    "Cannot specify 'vcpus' when branching from an existing instance",
  ],
  [{ branch_from: { name: "a", uuid: "b" } }, "Only one of 'uuid' and 'name' can be given"],
  [{ template: { name: "t" }, memory_mb: 64 }, "Cannot specify 'memory_mb' when 'template' is set"],
  [{ checkpoint: { name: "t" }, image: "hello" }, "Cannot specify 'image' when 'checkpoint' is set"],
  [
    { image: "hello", replicas: 1, ports: [{ host_port: 1, guest_port: 1 }] },
    "Cannot specify 'ports' with 'replicas': a port of the host leads to one instance",
  ],
  [
    {
      image: "hello",
      ports: [
        { host_port: 1, guest_port: 1 },
        { host_port: 1, guest_port: 2, host_address: "127.0.0.1" },
      ],
    },
    "Host port 1/tcp is given twice in 'ports'",
  ],
  [
    { image: "hello", ports: [{ host_port: 1, guest_port: 1, host_address: "1.2.3" }] },
    "Member 'host_address' has characters that are not allowed: '1.2.3'",
  ],
];

/** Members whose features are not there yet: refused by name, never ignored. */
const unsupported: readonly (readonly [member: string, value: unknown])[] = [
  ["volumes", [{ name: "v", at: "/v" }]],
  ["plugins", [{ name: "p" }]],
  ["schedules", [{ name: "s", when: "daily", action: "stop" }]],
  ["autokill", { time_ms: 1 }],
  ["dependencies", [{ name: "d" }]],
  ["sched_priority", "high"],
  ["gateway", "10.0.0.1"],
  ["nameserver", "10.0.0.1"],
  ["network_interfaces", [{ name: "n" }]],
  ["gpus", 1],
  ["type", "full"],
  ["features", ["nested-virt"]],
];

async function refuses(
  server: RestServer,
  [method, path, body]: readonly [string, string, unknown?],
  [status, message]: readonly [number, string],
): Promise<void> {
  const reply = await server.send(method, path, body);
  const what = `${method} ${path} ${JSON.stringify(body)}`;
  assert.deepEqual([reply.status, reply.json.message], [status, message], what);
  assert.equal(reply.json.status, "error", what);
  assert.equal(reply.json.errors[0].status, status, what);
  assert.equal(reply.json.data, undefined, what);
  assert.equal(typeof reply.json.op_time_us, "number", what);
}

test("create refuses what is malformed or contradictory, and says which member", async (context) => {
  const server = await restServer(context);
  for (const [body, message] of refusedCreates) {
    await refuses(server, ["POST", "/v1/instances", body], [400, message]);
  }
  assert.equal(server.core.entries.size, 0);
});

test("create refuses members of features that are not there yet", async (context) => {
  const server = await restServer(context);
  for (const [member, value] of unsupported) {
    const { status, json } = await server.send("POST", "/v1/instances", { image: "hello", [member]: value });
    assert.equal(status, 400, member);
    assert.ok(json.message.includes(`'${member}'`), json.message);
    assert.equal(json.errors[0].code, "not_supported");
  }
  const nothing = {
    volumes: [],
    scale_to_zero: { policy: "off" },
    gpus: 0,
    type: "micro",
    sched_priority: "normal",
  };
  assert.equal(
    (await server.send("POST", "/v1/instances", { image: "hello", ...nothing })).json.status,
    "success",
  );
});

test("the other operations refuse as well", async (context) => {
  const server = await restServer(context);
  const uuid = await server.make("a");
  const bad = "/v1/instances/not-a-uuid";
  const one = `/v1/instances/${uuid}`;
  const set = (prop: string, op: string, value?: unknown) => ["PATCH", one, { prop, op, value }] as const;
  const cases: readonly (readonly [readonly [string, string, unknown?], string])[] = [
    [["GET", bad], "Invalid uuid 'not-a-uuid'"],
    [["PUT", "/v1/instances/stop", [{ uuid: "5" }]], "Invalid uuid '5'"],
    [["PUT", "/v1/instances/stop", [{}]], "One of 'uuid' and 'name' must be given"],
    [["PUT", "/v1/instances/stop", [{ uuid, name: "a" }]], "Only one of 'uuid' and 'name' can be given"],
    [["PUT", "/v1/instances/stop", []], "body must have at least 1 item"],
    [
      ["PUT", "/v1/instances/stop", [{ name: "a", ifstate: "gone" }]],
      "Member 'ifstate' must be one of 'stopped', 'starting', 'running', 'draining', 'stopping', 'template', 'standby', 'deleted', 'checkpoint', not 'gone'",
    ],
    [["PUT", `${one}/stop`, { dump: true }], "Member 'dump' needs 'force' to be true"],
    [["PUT", `${one}/stop`, { dump: true, force: true }], "Member 'dump' is not supported yet"],
    [
      ["PUT", `${one}/start`, { timeout_s: -2 }],
      "Member 'timeout_s' must be between -1 and 31536000, not -2",
    ],
    [["PUT", `${one}/start`, { uuid }], "Unknown member 'uuid'"],
    [["PUT", "/v1/instances/start"], "The request needs a JSON body"],
    [
      ["PUT", "/v1/instances/start", "{"],
      "The request is no valid JSON: Expected property name or '}' in JSON at position 1 (line 1 column 2)",
    ],
    [["PUT", "/v1/instances/start", '[{"__proto__":{"name":"a"}}]'], "Unknown member '__proto__'"],
    [["PATCH", one], "The request needs a JSON body"],
    [
      set("colour", "set", 1),
      "Member 'prop' must be one of 'image', 'args', 'env', 'memory_mb', 'vcpus', 'scale_to_zero', 'tags', 'delete_lock', 'schedules', 'autokill', 'hostname', 'roms', 'dependencies', 'sched_priority', 'plugins', 'annotations', 'ports', not 'colour'",
    ],
    [set("memory_mb", "add", 1), "Operation 'add' is not possible on 'memory_mb', only: set"],
    [set("memory_mb", "set"), "Missing member 'value'"],
    [set("memory_mb", "set", "1"), "Member 'value' must be of type integer, not string"],
    [set("memory_mb", "set", 1), "Member 'value' must be between 16 and 1048576, not 1"],
    [set("delete_lock", "del", true), "Member 'value' must be left out"],
    [set("env", "add", ["A"]), "Member 'value' must be of type object, not array"],
    [
      set("image", "set", { url: "hello", credentials: "x" }),
      "Member 'credentials' is neither 'user:password' nor the base64 of that",
    ],
    [
      set("volumes", "set", []),
      "Member 'prop' must be one of 'image', 'args', 'env', 'memory_mb', 'vcpus', 'scale_to_zero', 'tags', 'delete_lock', 'schedules', 'autokill', 'hostname', 'roms', 'dependencies', 'sched_priority', 'plugins', 'annotations', 'ports', not 'volumes'",
    ],
    [set("schedules", "set", []), "Member 'schedules' is not supported yet"],
    [["GET", "/v1/instances?colour=red"], "Unknown member 'colour'"],
    [["GET", "/v1/instances?count=many"], "Member 'count' must be of type integer, not string"],
    [["GET", "/v1/instances?count=-1"], "Member 'count' must be at least 0, not -1"],
    [["GET", "/v1/instances?count=1&count=2"], "Member 'count' must be given once"],
    [["GET", "/v1/instances?details=yes"], "Member 'details' must be of type boolean, not string"],
    [["GET", "/v1/instances?order=up"], "Member 'order' must be one of 'asc', 'desc', not 'up'"],
    [["GET", "/v1/instances?from=yesterday"], "Invalid uuid 'yesterday'"],
    [["GET", "/v1/instances?from=2026-13-45"], "Member 'from' is no time: '2026-13-45'"],
    [
      ["GET", "/v1/instances/log?name=a&limit=2000000"],
      "Member 'limit', item 0, must be between 0 and 1048576, not 2000000",
    ],
    [
      ["GET", "/v1/instances/wait?name=a&state=up"],
      "Member 'state', item 0, must be one of 'stopped', 'starting', 'running', 'draining', 'stopping', 'template', 'standby', 'deleted', 'checkpoint', not 'up'",
    ],
    [["GET", "/v1/images", {}], "The request takes no body"],
    [["GET", "/v1/users/x/quotas"], "Invalid uuid 'x'"],
  ];
  for (const [request, message] of cases) await refuses(server, request, [400, message]);
});

test("routes of features that are not there yet say so; unknown ones are 404", async (context) => {
  const server = await restServer(context);
  for (const { method, path, feature } of plannedRoutes) {
    const { status, json } = await server.send(
      method,
      path.replace("{uuid}", "u"),
      method === "GET" ? undefined : {},
    );
    assert.deepEqual([status, json.message], [400, `${feature}: not supported yet`], `${method} ${path}`);
  }
  await refuses(server, ["GET", "/v1/nothing?x=1"], [404, "No such endpoint: GET /v1/nothing"]);
  await refuses(server, ["POST", "/v1/healthz", {}], [404, "No such endpoint: POST /v1/healthz"]);
  await refuses(server, ["GET", "/v1/instances/%zz"], [400, "The path of the request is malformed"]);
});

test("a token is needed on every other route, known or not", async (context) => {
  const { address } = await restServer(context);
  for (const path of ["/v1/instances", "/v1/nothing", "/v1/metros", "/v1/instances/suspend"]) {
    for (const authorization of [undefined, "Bearer wrong", "Basic YTpi", "Bearer"]) {
      const reply = await fetch(
        `http://${address}${path}`,
        authorization === undefined ? {} : { headers: { authorization } },
      );
      assert.equal(reply.status, 401, `${path} ${authorization}`);
      assert.equal(reply.headers.get("www-authenticate"), "Bearer");
      const { errors } = (await reply.json()) as { errors: { status: number; code: string }[] };
      assert.deepEqual([errors[0]?.status, errors[0]?.code], [401, "unauthorized"]);
    }
  }
});

test("a body over the limit is 413, and is not read for strangers", async (context) => {
  const server = await restServer(context);
  const body = `[{"name":"${"x".repeat(9 << 20)}"}]`;
  const { status, json } = await server.send("PUT", "/v1/instances/start", body);
  assert.deepEqual([status, json.errors[0].code], [413, "too_large"]);
});

test("what is no HTTP gets an envelope and a closed connection", async (context) => {
  const { address } = await restServer(context);
  const [host, port] = address.split(":");
  const socket = connect(Number(port), host);
  socket.write("this is not HTTP\r\n\r\n");
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const [head, body] = Buffer.concat(chunks).toString().split("\r\n\r\n");
  assert.match(head ?? "", /^HTTP\/1\.1 400 /);
  assert.equal(JSON.parse(body ?? "").status, "error");
});

test("a client that goes away in the middle of its request is no failure of the daemon", async (context) => {
  const failures: string[] = [];
  const log = { ...silentLog, error: (_: object, message: string) => void failures.push(message) };
  const core = createFakeCore();
  let requests = 0;
  const authenticate = (token: string) => {
    requests += 1;
    return core.authenticate(token);
  };
  const { address, close } = await startHttp({ ...core, authenticate }, { host: "127.0.0.1", port: 0, log });
  context.after(close);
  const [host, port] = address.split(":");
  const head = `host: x\r\nauthorization: Bearer ${fakeToken}\r\ncontent-length: 100`;
  const socket = connect(Number(port), host);
  socket.write(`POST /v1/instances HTTP/1.1\r\n${head}\r\n\r\n[{`);
  await until("the request is there", () => requests === 1);
  socket.resetAndDestroy();
  await once(socket, "close");
  await close();
  assert.deepEqual(failures, []);
});
