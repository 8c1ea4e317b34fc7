/** Limits of a group as a whole, whatever its ports and protocols. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { test } from "node:test";
import { connect } from "node:tls";
import { bind, edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile, backendPort } from "../../../../test/kit/edge-backends.ts";
import { until } from "../../../../test/kit/until.ts";

const one = "127.1.0.1";
const two = "127.1.0.2";

const { kit, edge } = await edgeForFile();
const backends = [await backendForFile("one", one), await backendForFile("two", two)];

const requests = (): number => backends.reduce((sum, backend) => sum + backend.requests(), 0);
const answerHeld = () => {
  for (const backend of backends) backend.answerHeld();
};

const ports = [
  { kind: "http", port: 443, destinationPort: backendPort, tls: true, proxy: false },
  { kind: "http", port: 80, destinationPort: backendPort, tls: false, proxy: true },
  { kind: "tcp", port: 6000, destinationPort: backendPort, tls: true, proxy: false },
] as const;

test("the hard limit counts requests of all ports and of gRPC, and open connections of raw ports, together", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake", [two]: "awake" }, { ports, hardLimit: 1 })));
  const before = requests();
  const held = kit.curl("https://a.example.com/held");
  await until("the first request is with a member", () => requests() > before);
  const ca = readFileSync(kit.rootFile);
  const raw = connect({ host: bind, port: 6000, servername: "a.example.com", ca });
  raw.write("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
  await until("the raw connection is with a member", () => requests() > before + 1);
  for (const url of ["https://a.example.com/", "http://a.example.com/"]) {
    assert.equal((await kit.curl(url)).status, 503, url);
  }
  await assert.rejects(kit.curl("https://a.example.com:6000/"));
  const client = connectHttp2("https://a.example.com", {
    ca,
    lookup: (_name, _options, done) => done(null, [{ address: bind, family: 4 }]),
  });
  const call = client.request({ ":method": "POST", ":path": "/s/m", "content-type": "application/grpc" });
  call.end();
  const [headers] = await once(call, "response");
  assert.equal(headers["grpc-status"], "14");
  client.close();
  assert.equal(requests(), before + 2);
  raw.destroy();
  await until("there is room again", async () => (await kit.curl("https://a.example.com/")).status === 200);
  answerHeld();
  assert.equal((await held).status, 200);
});

test("groups have no part in each other's limits", async () => {
  const groups = [one, two].map((address, index) =>
    kit.group("ab".charAt(index), { [address]: "awake" }, { hardLimit: 1 }),
  );
  await edge.apply(kit.planOf(...groups));
  const before = requests();
  const held = kit.curl("https://a.example.com/held");
  await until("the first request is with a member", () => requests() > before);
  assert.equal((await kit.curl("https://a.example.com/")).status, 503);
  assert.equal((await kit.curl("https://b.example.com/")).status, 200);
  answerHeld();
  await held;
});

for (const state of ["awake", "asleep"] as const) {
  test(`a client that goes away frees its place with members that are ${state}`, async () => {
    await edge.apply(kit.planOf(kit.group("a", { [one]: state }, { hardLimit: 1 })));
    const isServed = async () => (await kit.curl("https://a.example.com/")).status === 200;
    for (const version of ["--http1.1", "--http2"]) {
      for (const path of ["/held", "/events"]) {
        await until("there is room", isServed);
        const before = requests();
        const fixed = ["-sN", "--cacert", kit.rootFile, "--resolve", `a.example.com:443:${bind}`];
        const client = spawn("curl", [...fixed, version, `https://a.example.com${path}`]);
        await until("the request is with the member", () => requests() > before);
        assert.equal(await isServed(), false);
        client.kill();
        await once(client, "exit");
      }
    }
    await until("there is room", isServed);
  });
}
