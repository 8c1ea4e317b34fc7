/** What real clients get from a real HAProxy, with small servers in the place of instances. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { createServer } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import { edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile, backendPort, type TestBackend } from "../../../../test/kit/edge-backends.ts";
import { until } from "../../../../test/kit/until.ts";

const one = "127.1.0.1";
const two = "127.1.0.2";
const three = "127.1.0.3";
/** Nothing listens there. */
const silent = "127.1.0.9";

const { kit, edge } = await edgeForFile();
const backends: TestBackend[] = [];
for (const address of [one, two, three]) backends.push(await backendForFile(address, address));

const backend = (address: string): TestBackend => {
  const found = backends.find((each) => each.address === address);
  assert.ok(found !== undefined);
  return found;
};
/** Requests take another way to each of them. */
const states = ["awake", "asleep"] as const;

const nameIn = (body: string): string => JSON.parse(body).name;

test("a name leads to its group, over HTTP/1.1 and HTTP/2, with a certificate that the root vouches for", async () => {
  const groups = [kit.group("a", { [one]: "awake" }), kit.group("b", { [two]: "awake" })];
  assert.deepEqual(await edge.apply(kit.planOf(...groups)), []);
  const first = await kit.curl("https://a.example.com/x?y=1", "--http1.1");
  assert.equal(first.version, "1.1");
  assert.equal(nameIn(first.body), one);
  assert.equal(JSON.parse(first.body).url, "/x?y=1");
  const second = await kit.curl("https://B.example.com/", "--http2");
  assert.equal(second.version, "2");
  assert.equal(nameIn(second.body), two);
});

test("forwarding headers say who asked, and nothing that the client made up", async () => {
  const made = [
    "-H",
    "X-Forwarded-For: 9.9.9.9",
    "-H",
    "X-Forwarded-Host: evil",
    "-H",
    "Forwarded: for=9.9.9.9",
    "-H",
    "X-Forwarded-User: admin",
    "-H",
    "X-Uni-Target: http.b.8080",
  ];
  for (const state of states) {
    await edge.apply(kit.planOf(kit.group("a", { [one]: state }), kit.group("b", { [two]: "awake" })));
    const { name, headers } = JSON.parse((await kit.curl("https://a.example.com/", ...made)).body);
    assert.equal(name, one);
    assert.equal(headers["x-forwarded-for"], "127.0.0.1");
    assert.equal(headers["x-forwarded-proto"], "https");
    assert.equal(headers["x-forwarded-host"], "a.example.com");
    assert.equal(headers["x-forwarded-port"], "443");
    assert.equal(headers.forwarded, undefined);
    assert.equal(headers["x-forwarded-user"], undefined);
  }
});

test("port 80 redirects to 443 with path and query", async () => {
  const { status, location } = await kit.curl("http://a.example.com/p?q=1");
  assert.equal(status, 308);
  assert.equal(location.trim(), "https://a.example.com/p?q=1");
});

test("an unknown name gets a page, or JSON if it asks for that", async () => {
  const page = await kit.curl("https://nobody.example.com/");
  assert.equal(page.status, 404);
  assert.match(page.type, /^text\/html/);
  assert.match(page.body, /Service not found/);
  const json = await kit.curl("https://nobody.example.com/", "-H", "Accept: application/json");
  assert.equal(json.status, 404);
  assert.match(json.type, /^application\/json/);
  assert.equal(JSON.parse(json.body).errors[0].status, 404);
});

test("a wildcard stands for one label, and an exact name comes first", async () => {
  const certificate = kit.group("w", {}).domains[0]?.certificate ?? "";
  const wild = kit.group("w", { [three]: "awake" }, { domains: [{ fqdn: "*.example.com", certificate }] });
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" }), wild));
  assert.equal(nameIn((await kit.curl("https://a.example.com/")).body), one);
  assert.equal(nameIn((await kit.curl("https://other.example.com/")).body), three);
  assert.equal((await kit.curl("https://x.other.example.com/", "-k")).status, 404);
});

test("an application that does not listen is a 502 that says so, one that is gone is passed over", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [silent]: "awake" })));
  const alone = await kit.curl("https://a.example.com/");
  assert.equal(alone.status, 502);
  assert.match(alone.body, /does not listen/);
  const json = await kit.curl("https://a.example.com/", "-H", "Accept: application/json");
  assert.match(json.type, /^application\/json/);
  assert.equal(JSON.parse(json.body).errors[0].status, 502);
  await edge.apply(kit.planOf(kit.group("a", { [silent]: "awake", [one]: "awake" })));
  for (let count = 0; count < 4; count++) {
    assert.equal(nameIn((await kit.curl("https://a.example.com/")).body), one);
  }
});

test("a group without members answers with a page", async () => {
  await edge.apply(kit.planOf(kit.group("a", {})));
  const { status, body } = await kit.curl("https://a.example.com/");
  assert.equal(status, 503);
  assert.match(body, /No instance/);
});

test("beyond the hard limit a request is refused at once, and there is room again afterwards", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" }, { hardLimit: 1 })));
  const before = backend(one).requests();
  const held = kit.curl("https://a.example.com/held");
  await until("the first request is with the member", () => backend(one).requests() > before);
  const refused = await kit.curl("https://a.example.com/");
  assert.equal(refused.status, 503);
  assert.match(refused.body, /full/);
  backend(one).answerHeld();
  assert.equal((await held).status, 200);
  assert.equal((await kit.curl("https://a.example.com/")).status, 200);
});

test("a sleeper is used when all who are awake have reached the soft limit, and not before", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake", [two]: "asleep", [three]: "asleep" })));
  for (let count = 0; count < 3; count++) {
    assert.equal(nameIn((await kit.curl("https://a.example.com/")).body), one);
  }
  const before = backend(one).requests();
  const held = kit.curl("https://a.example.com/held");
  await until("the first request is with the member", () => backend(one).requests() > before);
  assert.equal(nameIn((await kit.curl("https://a.example.com/")).body), two);
  backend(one).answerHeld();
  await held;
  assert.equal(nameIn((await kit.curl("https://a.example.com/")).body), one);
});

test("many requests at once to sleepers wake one of them", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [two]: "asleep", [three]: "asleep" })));
  const answers = await Promise.all(Array.from({ length: 12 }, () => kit.curl("https://a.example.com/")));
  assert.deepEqual(new Set(answers.map(({ body }) => nameIn(body))), new Set([two]));
});

test("a draining member keeps its requests and gets no more", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" })));
  const before = backend(one).requests();
  const held = kit.curl("https://a.example.com/held");
  await until("the request is with the member", () => backend(one).requests() > before);
  await edge.apply(kit.planOf(kit.group("a", { [one]: "draining", [two]: "awake" })));
  assert.equal(nameIn((await kit.curl("https://a.example.com/")).body), two);
  backend(one).answerHeld();
  assert.equal(nameIn((await held).body), one);
});

test("an upgraded connection carries bytes both ways, and an event stream is not held back", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" })));
  const ca = readFileSync(kit.rootFile);
  const socket = connect({ host: "127.0.0.1", port: 443, servername: "a.example.com", ca });
  socket.write(
    "GET /ws HTTP/1.1\r\nHost: a.example.com\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  await until("the upgrade", () => text.includes("101 Switching"));
  socket.write("ping");
  await until("the echo", () => text.endsWith("ping"));
  socket.destroy();
  const events = connect({ host: "127.0.0.1", port: 443, servername: "a.example.com", ca });
  events.write("GET /events HTTP/1.1\r\nHost: a.example.com\r\n\r\n");
  let stream = "";
  events.on("data", (chunk) => {
    stream += chunk;
  });
  await until("the first event", () => stream.includes("data: first"));
  events.destroy();
});

test("gRPC reaches a member in HTTP/2, with its trailers, and goes both ways at once", async () => {
  const address = "127.1.0.4";
  const server = createHttp2Server();
  server.on("stream", (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.pipe(stream);
  });
  server.listen(backendPort, address);
  await once(server, "listening");
  for (const state of states) {
    await edge.apply(kit.planOf(kit.group("a", { [address]: state })));
    await callBothWays();
  }
  server.close();
});

async function callBothWays(): Promise<void> {
  const client = connectHttp2("https://a.example.com", {
    ca: readFileSync(kit.rootFile),
    lookup: (_name, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }]),
  });
  const call = client.request({
    ":method": "POST",
    ":path": "/s/m",
    "content-type": "application/grpc",
    te: "trailers",
  });
  let body = "";
  call.on("data", (chunk) => {
    body += chunk;
  });
  const trailers = once(call, "trailers");
  call.write("one");
  await until("the first echo", () => body === "one");
  call.end("two");
  assert.equal((await trailers)[0]["grpc-status"], "0");
  await once(call, "close");
  assert.equal(body, "onetwo");
  client.close();
}

test("groups share a raw TLS port by the name that the client asks for", async () => {
  const ports = [{ kind: "tcp" as const, port: 6000, destinationPort: backendPort, tls: true, proxy: false }];
  await edge.apply(
    kit.planOf(kit.group("a", { [one]: "awake" }, { ports }), kit.group("b", { [two]: "asleep" }, { ports })),
  );
  assert.equal(nameIn((await kit.curl("https://a.example.com:6000/")).body), one);
  assert.equal(nameIn((await kit.curl("https://b.example.com:6000/")).body), two);
  await assert.rejects(kit.curl("https://c.example.com:6000/"));
});

test("headers larger than the buffer are refused", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" })));
  const before = backend(one).requests();
  // More than a buffer has room for, and yet read as a whole: a client that still sends when it is refused sees a broken
  // pipe instead of the answer.
  const { status } = await kit.curl("https://a.example.com/", "--http1.1", "-H", `X: ${"x".repeat(15_800)}`);
  assert.equal(status, 400);
  // Far larger ones reach no backend either, whether their sender gets the answer or a broken pipe.
  const far = await kit
    .curl("https://a.example.com/", "--http1.1", "-H", `X: ${"x".repeat(40_000)}`)
    .catch((error: { code?: unknown }) => ({ status: error.code }));
  assert.ok([400, 55, 56].includes(Number(far.status)), `status or curl's exit code: ${far.status}`);
  assert.equal(backend(one).requests(), before);
});

test("a port that somebody else holds is left out, and its owner is named", async () => {
  const holder = createServer().listen(7001, "127.0.0.1");
  await once(holder, "listening");
  const ports = [
    { kind: "tcp" as const, port: 7001, destinationPort: backendPort, tls: true, proxy: false },
    { kind: "http" as const, port: 443, destinationPort: backendPort, tls: true, proxy: false },
  ];
  const problems = await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" }, { ports })));
  assert.match(problems.join("\n"), new RegExp(`port 7001.*process ${process.pid}`));
  assert.equal(nameIn((await kit.curl("https://a.example.com/")).body), one);
  await assert.rejects(edge.checkPorts([7001]), { code: "port_in_use" });
  await edge.checkPorts([443, 7002]);
  holder.close();
  await once(holder, "close");
});
