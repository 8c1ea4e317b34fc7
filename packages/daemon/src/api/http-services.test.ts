import assert from "node:assert/strict";
import { test } from "node:test";
import { restServer } from "./http-test-kit.ts";

const https = { port: 443, destination_port: 8080, handlers: ["tls", "http"] };
const pem = { chain: "CHAIN", pkey: "KEY" };

test("groups are made, found, changed and removed, each item with its own outcome", async (context) => {
  const { send } = await restServer(context);
  const make = async (name: string) => {
    const { json } = await send("POST", "/v1/services", { name, services: [https] });
    assert.equal(json.status, "success");
    return json.data.service_groups[0];
  };
  const web = await make("web");
  await make("api");
  assert.equal(web.status, "success");

  const listed = (await send("GET", "/v1/services")).json.data.service_groups;
  assert.deepEqual(
    listed.map(({ name, status }: { name: string; status?: string }) => [name, status]),
    [
      ["web", undefined],
      ["api", undefined],
    ],
  );
  const page = await send("GET", `/v1/services?count=1&from=${web.uuid}&details=false`);
  assert.deepEqual(page.json.data.service_groups, [{ uuid: listed[1].uuid, name: "api" }]);
  const found = await send("GET", "/v1/services?name=web&name=none");
  assert.equal(found.json.status, "partial_success");
  assert.equal(found.json.data.service_groups[1].message, "No service group with name 'none'");
  assert.equal(found.json.data.service_groups[1].error, 8);
  assert.equal((await send("GET", `/v1/services/${web.uuid}`)).json.data.service_groups[0].name, "web");

  const changed = await send("PATCH", "/v1/services", [
    { name: "web", id: "a", prop: "soft_limit", op: "set", value: 5 },
    { name: "none", id: "b", prop: "soft_limit", op: "set", value: 5 },
  ]);
  assert.deepEqual(
    changed.json.data.service_groups.map((item: { id: string; status: string }) => [item.id, item.status]),
    [
      ["a", "success"],
      ["b", "error"],
    ],
  );
  const one = { prop: "domains", op: "add", value: [{ name: "www.example.com." }] };
  assert.equal((await send("PATCH", `/v1/services/${web.uuid}`, one)).json.status, "success");
  const after = (await send("GET", `/v1/services/${web.uuid}`)).json.data.service_groups[0];
  assert.equal(after.soft_limit, 5);
  assert.equal(after.domains[1].fqdn, "www.example.com");
  assert.equal((await send("DELETE", "/v1/services", [{ name: "api" }])).json.status, "success");
  assert.equal((await send("DELETE", `/v1/services/${web.uuid}`)).json.status, "success");
  assert.deepEqual((await send("GET", "/v1/services")).json.data.service_groups, []);
});

test("both limits in one request are one change, with an answer for each", async (context) => {
  const { core, send } = await restServer(context);
  await send("POST", "/v1/services", { name: "web", services: [https] });
  const seen: number[] = [];
  const { update } = core.services;
  core.services.update = (account, reference, updates) => {
    seen.push(updates.length);
    return update(account, reference, updates);
  };
  const set = (prop: string, value: unknown) => ({ name: "web", id: prop, prop, op: "set", value });
  const { json } = await send("PATCH", "/v1/services", [
    set("autokill", {}),
    set("soft_limit", 8),
    set("hard_limit", 9),
    set("services", [https]),
  ]);
  assert.deepEqual(seen, [1, 2, 1]);
  assert.deepEqual(
    json.data.service_groups.map(({ id }: { id: string }) => id),
    ["autokill", "soft_limit", "hard_limit", "services"],
  );
});

/** Method, path and body, and the message of the refusal of the whole request. */
const refused: readonly (readonly [method: string, path: string, body: unknown, message: string])[] = [
  ["POST", "services", {}, "Missing member 'services'"],
  ["POST", "services", { services: [{ port: 0 }] }, "Member 'port' must be between 1 and 65535, not 0"],
  [
    "POST",
    "services",
    { services: [https], soft_limit: 9, hard_limit: 8 },
    "Member 'soft_limit' (9) must not be above 'hard_limit' (8)",
  ],
  [
    "POST",
    "services",
    { services: [https], domains: [{ name: "a.", certificate: {} }] },
    "One of 'uuid' and 'name' must be given",
  ],
  [
    "PATCH",
    "services",
    [{ name: "a", prop: "soft_limit", op: "add", value: 1 }],
    "Operation 'add' is not possible on 'soft_limit', only: set, del",
  ],
  ["PATCH", "services", [{ name: "a", prop: "services", op: "set" }], "Missing member 'value'"],
  [
    "PATCH",
    "services",
    [{ name: "a", prop: "soft_limit", op: "del", value: 1 }],
    "Member 'value' must be left out",
  ],
  [
    "PATCH",
    "services",
    [{ name: "a", prop: "hard_limit", op: "set", value: 65_536 }],
    "Member 'value' must be between 1 and 65535, not 65536",
  ],
  ["POST", "certificates", pem, "Missing member 'common_name'"],
  [
    "POST",
    "certificates",
    { ...pem, cn: "a.b", common_name: "a.b" },
    "Only one of 'cn' and 'common_name' can be given",
  ],
  ["POST", "certificates", { cn: "a.b", pkey: "KEY" }, "Missing member 'chain'"],
  ["PUT", "certificates", [{ chain: "CHAIN", pkey: "KEY" }], "One of 'uuid' and 'name' must be given"],
  [
    "POST",
    "certificates",
    { ...pem, cn: "a.b", pkey: "S".repeat(16_385) },
    "Member 'pkey' must be at most 16384 characters, not 16385",
  ],
];

test("a request that contradicts itself is refused as a whole", async (context) => {
  const { send } = await restServer(context);
  for (const [method, path, body, message] of refused) {
    const { status, json } = await send(method, `/v1/${path}`, body);
    assert.deepEqual([status, json.message], [400, message], `${method} ${path}`);
  }
});

test("certificates are replaced by PUT, and by PATCH for older clients; no key comes back", async (context) => {
  const { send } = await restServer(context);
  const made = await send("POST", "/v1/certificates", { name: "c", cn: "www.example.com.", ...pem });
  const { uuid } = made.json.data.certificates[0];
  const answers = [
    made,
    await send("PUT", "/v1/certificates", [{ name: "c", ...pem }]),
    await send("PATCH", "/v1/certificates", [{ uuid, ...pem }]),
    await send("PUT", `/v1/certificates/${uuid}`, pem),
    await send("PATCH", `/v1/certificates/${uuid}`, pem),
    await send("GET", `/v1/certificates/${uuid}`),
    await send("GET", "/v1/certificates"),
    await send("DELETE", "/v1/certificates", [{ name: "c" }]),
  ];
  for (const { json, text } of answers) {
    assert.equal(json.status, "success");
    assert.equal(json.data.certificates[0].name, "c");
    assert.ok(!text.includes("KEY") && !text.includes("CHAIN"));
  }
  const clash = { name: "d", cn: "d.example.com", ...pem };
  await send("POST", "/v1/certificates", clash);
  const { status, json } = await send("POST", "/v1/certificates", clash);
  assert.deepEqual([status, json.data.certificates[0].error], [200, 23]);
});
