/** The PROXY protocol (HAProxy's doc/proxy-protocol.txt): spoken to the edge by a balancer before it, and by the edge to members. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile, backendPort } from "../../../../test/kit/edge-backends.ts";

const one = "127.1.0.1";
/** Speaks for others; its network is known to the edge. */
const balancer = "127.2.0.7";
const stranger = "127.3.0.1";

const { kit, edge } = await edgeForFile({ proxies: ["127.2.0.0/24", "127.4.0.1"] });
const backend = await backendForFile(one, one);

const http = { kind: "http", port: 80, destinationPort: backendPort, tls: false, proxy: false } as const;
const https = { ...http, port: 443, tls: true };
const request = "GET / HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n";

/** 203.0.113.9:5555 to 198.51.100.1:80, as the second version writes it. */
const version2 = Buffer.concat([
  Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"),
  Buffer.from([0x21, 0x11, 0, 12, 203, 0, 113, 9, 198, 51, 100, 1, 0x15, 0xb3, 0, 80]),
]);
const version1 = "PROXY TCP4 203.0.113.9 198.51.100.1 5555 80\r\n";

async function talk(from: string, ...parts: readonly (string | Buffer)[]): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: 80, localAddress: from });
  socket.on("error", () => {});
  for (const part of parts) socket.write(part);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  socket.once("close", () => resolve());
  await closed;
  return text;
}

const clientIn = (answer: string): string =>
  JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1)).headers["x-forwarded-for"];

test("what a known balancer says of the client is believed, in both versions, and nothing else is", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" }, { ports: [http, https] })));
  assert.equal(clientIn(await talk(balancer, version1, request)), "203.0.113.9");
  assert.equal(clientIn(await talk(balancer, version2, request)), "203.0.113.9");
  assert.equal(clientIn(await talk(stranger, request)), stranger);
  const before = backend.requests();
  for (const header of [version1, version2])
    assert.doesNotMatch(await talk(stranger, header, request), /^HTTP\/1.1 200/);
  // It must say so: who is behind it is never its own address.
  assert.doesNotMatch(await talk(balancer, request), /200 OK/);
  for (const broken of ["PROXY TCP4 x y\r\n", "PROXY \0\r\n", version2.subarray(0, 20)]) {
    assert.doesNotMatch(await talk(balancer, broken, request), /200 OK/);
  }
  assert.equal(backend.requests(), before);
});

test("it goes before TLS", async () => {
  const socket = connect({ host: "127.0.0.1", port: 443, localAddress: balancer });
  socket.write(version2);
  const secured = connectTls({ socket, servername: "a.example.com", rejectUnauthorized: false });
  secured.write(request);
  let text = "";
  for await (const chunk of secured) text += String(chunk);
  assert.equal(clientIn(text), "203.0.113.9");
});

/** Keeps what each connection begins with. */
async function startListener(address: string): Promise<{ server: Server; first: Promise<Buffer> }> {
  const first = Promise.withResolvers<Buffer>();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (chunk) => {
      first.resolve(chunk);
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
  });
  server.listen(backendPort, address);
  await once(server, "listening");
  return { server, first: first.promise };
}

test("a member is told in version 2 who has connected, by HTTP and by TCP, if its service says so", async () => {
  const rules = [
    { state: "awake", url: "https://a.example.com/", rule: { ...https, proxy: true } },
    { state: "asleep", url: "https://a.example.com/", rule: { ...https, proxy: true } },
    {
      state: "awake",
      url: "https://a.example.com:6000/",
      rule: { ...https, kind: "tcp", port: 6000, proxy: true },
    },
  ] as const;
  for (const [index, { state, url, rule }] of rules.entries()) {
    const address = `127.1.1.${index + 1}`;
    const { server, first } = await startListener(address);
    await edge.apply(kit.planOf(kit.group("a", { [address]: state }, { ports: [rule] })));
    await kit.curl(url, "--http1.1", "--insecure", "--interface", stranger).catch(() => {});
    const bytes = await first;
    assert.equal(bytes.subarray(0, 12).toString("latin1"), "\r\n\r\n\0\r\nQUIT\n");
    assert.deepEqual([...bytes.subarray(12, 14)], [0x21, 0x11]);
    assert.equal(bytes.subarray(16, 20).join("."), stranger);
    server.close();
    await once(server, "close");
  }
});

test("the same port of a member is reached with and without it", async () => {
  const ports = [http, { ...https, proxy: true }];
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" }, { ports })));
  assert.equal(clientIn(await talk(stranger, request)), stranger);
  // A server that knows nothing of it takes it for a broken request.
  assert.notEqual((await kit.curl("https://a.example.com/", "--interface", stranger)).status, 200);
});
