import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { UniClient } from "./client.ts";
import { connect } from "./connect.ts";

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly token: string | undefined;
  readonly body: unknown;
}

type Answer = readonly [status: number, body: unknown];

async function withServer(
  answer: (asked: Asked) => Answer,
  use: (client: UniClient, asked: Asked[]) => Promise<void>,
): Promise<void> {
  const all: Asked[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    const { method, url, headers } = request;
    const asked = {
      method,
      url,
      token: headers.authorization,
      body: text === "" ? undefined : JSON.parse(text),
    };
    all.push(asked);
    const [status, body] = answer(asked);
    response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    await use(connect({ url: `http://127.0.0.1:${port}`, token: "secret" }), all);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const uuid = "11111111-2222-4333-8444-555555555555";
const instance = {
  uuid,
  name: "web",
  state: "running",
  image: "hello@sha256:1",
  image_ref: "hello",
  created_at: "2026-01-31T12:00:00Z",
  memory_mb: 256,
  vcpus: 1,
  private_ip: "10.0.0.2",
  restart_policy: "never",
  type: "micro",
};
const ok = (...instances: unknown[]): Answer => [
  200,
  { status: "success", data: { instances }, op_time_us: 1 },
];

test("an instance of the REST API looks as it does on the socket", async () => {
  await withServer(
    () => ok(instance, { ...instance, name: "off", state: "stopped" }),
    async (client, asked) => {
      const all = await client.call("VM.List", {});
      assert.deepEqual(all[0], {
        id: uuid,
        name: "web",
        state: "running",
        image: "hello",
        created_at: instance.created_at,
        ip: "10.0.0.2",
        ports: [],
        memory: 256,
        vcpus: 1,
        restart_count: 0,
      });
      assert.equal(all.length, 2);
      assert.equal((await client.call("VM.List", { all: false })).length, 1);
      assert.deepEqual(asked[0], {
        method: "GET",
        url: "/v1/instances",
        token: "Bearer secret",
        body: undefined,
      });
    },
  );
});

test("run, stop and remove become the operations that say the same", async () => {
  await withServer(
    () => ok({ ...instance, state: "stopped" }),
    async (client, asked) => {
      await client.call("VM.Run", {
        image: "hello",
        memory: 256,
        env: ["A=b=c"],
        auto_remove: true,
        wait_s: 5,
      });
      assert.deepEqual(asked[0]?.body, {
        image: "hello",
        env: { A: "b=c" },
        memory_mb: 256,
        features: ["delete-on-stop"],
        autostart: true,
        timeout_s: 5,
      });
      await client.call("VM.Stop", { id: "web", grace_s: 3 });
      assert.deepEqual(asked[1], {
        method: "PUT",
        url: "/v1/instances/stop",
        token: "Bearer secret",
        body: [{ name: "web", grace_period_s: 3, timeout_s: -1 }],
      });
      assert.equal(asked[2]?.url, "/v1/instances?name=web");
      assert.deepEqual(await client.call("VM.Remove", { id: uuid }), { status: "ok", id: uuid, name: "web" });
      assert.deepEqual(asked[4]?.body, [{ uuid }]);
    },
  );
  await withServer(
    () => ok(instance),
    (client) => assert.rejects(client.call("VM.Remove", { id: "web" }), { code: "wrong_state" }),
  );
});

test("sets are branched, kept and rewound by the operations for sets", async () => {
  await withServer(
    () => ok({ ...instance, name: "web-copy" }, { ...instance, name: "db-copy" }),
    async (client, asked) => {
      const made = await client.call("VM.Branch", { ids: ["web", uuid], suffix: "copy", autostart: false });
      assert.deepEqual(
        made.map(({ name }) => name),
        ["web-copy", "db-copy"],
      );
      const [kept] = await client.call("VM.Checkpoint", { ids: ["web"], name: "before", tags: ["x"] });
      assert.deepEqual(kept, {
        ...{ id: uuid, name: "web-copy", state: "running", created_at: instance.created_at },
        ...{ image: "hello", memory: 256, vcpus: 1 },
      });
      await client.call("VM.Rewind", { rewinds: [{ id: "web", checkpoint: "before" }] });
      assert.deepEqual(
        asked.map(({ method, url, body }) => [`${method} ${url}`, body]),
        [
          [
            "PUT /v1/instances/branch",
            { instances: [{ name: "web" }, { uuid }], suffix: "copy", autostart: false },
          ],
          ["PUT /v1/instances/checkpoint", { instances: [{ name: "web" }], name: "before", tags: ["x"] }],
          [
            "PUT /v1/instances/rewind",
            { rewinds: [{ instance: { name: "web" }, checkpoint: { name: "before" } }] },
          ],
        ],
      );
    },
  );
});

test("a kill is a stop by force, and a whole log is read in pages", async () => {
  const text = (part: string) => Buffer.from(part).toString("base64");
  const available = { start: 0, end: 6 };
  const pages = [
    { output: text("one"), available, range: { start: 0, end: 3 } },
    { output: text("two"), available, range: { start: 3, end: 6 } },
  ];
  await withServer(
    ({ url }) => {
      const offset = /offset=(\d)/.exec(url ?? "")?.[1];
      return ok(offset === undefined ? instance : pages[offset === "0" ? 0 : 1]);
    },
    async (client, asked) => {
      assert.deepEqual(await client.call("VM.Kill", { id: "web" }), { status: "ok" });
      assert.deepEqual(asked[0]?.body, [{ name: "web", force: true, timeout_s: -1 }]);
      assert.deepEqual(await client.call("VM.Logs", { id: "web" }), { id: "web", logs: "onetwo" });
    },
  );
});

test("refusals of the whole request and of an item become UniErrors", async () => {
  const item = {
    status: "error",
    message: "No instance with name 'x'",
    error: 8,
    code: "not_found",
    hint: "h",
  };
  await withServer(
    () => [200, { status: "error", data: { instances: [item] }, op_time_us: 1 }],
    (client) =>
      assert.rejects(client.call("VM.Get", { id: "x" }), {
        code: "not_found",
        message: "No instance with name 'x'",
        hint: "h",
      }),
  );
  await withServer(
    () => [401, { status: "error", errors: [{ status: 401, message: "Unauthorized" }], op_time_us: 1 }],
    (client) => assert.rejects(client.call("VM.List", {}), { code: "unauthorized", hint: /UNI_TOKEN/ }),
  );
  await withServer(
    () => [502, "<html>"],
    (client) => assert.rejects(client.call("VM.List", {}), { code: "unreachable" }),
  );
});

test("an operation fills its path, its query and its body", async () => {
  await withServer(
    () => ok(instance),
    async (client, asked) => {
      await client.operation("stopInstanceByUuid", { uuid: "a/b", body: { force: true } });
      await client.operation("getInstances", { count: 2, tags: ["x", "y"] });
      assert.deepEqual([asked[0]?.method, asked[0]?.url], ["PUT", "/v1/instances/a%2Fb/stop"]);
      assert.deepEqual(asked[0]?.body, { force: true });
      assert.equal(asked[1]?.url, "/v1/instances?count=2&tags=x&tags=y");
    },
  );
});

test("what only the socket carries says so, and a dead address is unreachable", async () => {
  const client = connect({ url: "http://127.0.0.1:1", token: undefined });
  const refused = { code: "not_supported", hint: /unix socket/ };
  await assert.rejects(client.call("Daemon.Doctor", {}), refused);
  await assert.rejects(client.call("VM.Kill", { id: "x", signal: "HUP" }), refused);
  await assert.rejects(client.call("VM.Logs", { id: "x", follow: true }), refused);
  await assert.rejects(client.open("VM.Exec", { id: "x", argv: ["ls"] }), refused);
  await assert.rejects(client.attach("x"), refused);
  assert.throws(() => client.events("Daemon.Events", {}), refused);
  await assert.rejects(client.call("VM.List", {}), { code: "unreachable" });
});

test("an image of the REST API has the references that it has on the socket", async () => {
  const digest = `sha256:${"1".repeat(64)}`;
  const image = {
    url: `hello@${digest}`,
    digest,
    tags: ["hello:latest", digest],
    created_at: instance.created_at,
    size_in_bytes: 7,
  };
  const answer: Answer = [200, { status: "success", data: { images: [image] }, op_time_us: 1 }];
  await withServer(
    () => answer,
    async (client) => {
      const [found] = await client.call("Image.List", {});
      assert.deepEqual([found?.digest, found?.references], [digest, ["hello:latest"]]);
    },
  );
});
