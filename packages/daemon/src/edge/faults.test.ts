/** Clients that mean no good: they are let go, reach no member with what is wrong, and others are served meanwhile. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { bind, edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile, backendPort } from "../../../../test/kit/edge-backends.ts";
import { until } from "../../../../test/kit/until.ts";

const one = "127.1.0.1";
/** Keeps what arrives, as it arrives, and answers each request that ends. */
const raw = "127.1.0.2";
const attacker = "127.3.0.1";

const { kit, edge } = await edgeForFile();
const backend = await backendForFile(one, one);
let rawServer: Server;
let received = "";
const open: Socket[] = [];

before(async () => {
  rawServer = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      received += chunk;
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  }).listen(backendPort, raw);
  await once(rawServer, "listening");
  await edge.apply(
    kit.planOf(
      kit.group("a", { [one]: "awake" }, { ports: [plain, kit.group("a", {}).ports[0] ?? plain] }),
      kit.group("raw", { [raw]: "awake" }, { ports: [plain] }),
    ),
  );
});

after(() => rawServer.close());

afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

const plain = { kind: "http", port: 80, destinationPort: backendPort, tls: false, proxy: false } as const;

/** A connection of the attacker's: what it got, and whether it was let go. */
function attack(...parts: readonly (string | Buffer)[]): {
  text: () => string;
  ended: () => boolean;
  socket: Socket;
} {
  const socket = connect({ host: bind, port: 80, localAddress: attacker });
  open.push(socket);
  let text = "";
  let ended = false;
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.once("close", () => {
    ended = true;
  });
  for (const part of parts) socket.write(part);
  return { text: () => text, ended: () => ended, socket };
}

async function requireService(): Promise<void> {
  const { status } = await kit.curl("https://a.example.com/");
  assert.equal(status, 200);
}

test("headers that drip in are waited for ten seconds in all, however many do so", async () => {
  const drips = Array.from({ length: 200 }, () => attack("GET / HTTP/1.1\r\nHost: a.example.com\r\n"));
  const timer = setInterval(() => {
    for (const { socket } of drips) socket.write("X-A: b\r\n");
  }, 500);
  try {
    await requireService();
    const before = backend.requests();
    await until("they are let go", () => drips.every(({ ended }) => ended()), 20_000);
    assert.match(drips[0]?.text() ?? "", /^HTTP\/1.1 408 /);
    assert.equal(backend.requests(), before);
  } finally {
    clearInterval(timer);
  }
});

test("a body that drips in holds one request's place and no more", async () => {
  const before = backend.requests();
  for (let count = 0; count < 50; count++) {
    attack("POST /held HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: 100000\r\n\r\nx");
  }
  await until("they are with the member", () => backend.requests() >= before + 50);
  await requireService();
  for (const socket of open) socket.destroy();
  backend.answerHeld();
  await requireService();
});

test("one address has two thousand connections at most; others are served", async () => {
  const many = Array.from({ length: 2_100 }, () => attack());
  await until("those beyond are let go", () => many.filter(({ ended }) => ended()).length >= 100);
  await requireService();
  assert.ok(many.some(({ ended }) => !ended()));
});

test("what is no request gets no further", async () => {
  const before = backend.requests();
  const broken = [
    "GET / HTTP/1.1\r\nHost: a.example.com\r\nX : y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a.example.com\r\nX: a\0b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "GET / HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: +1\r\n\r\nx",
    "GET / HTTP/1.1\r\nHost: a.example.com\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "GET http://b.example.com/ HTTP/1.1\r\nHost: a.example.com\r\n\r\n",
    "\0\x01\x02\x03 / HTTP/1.1\r\n\r\n",
  ];
  for (const text of broken) {
    const { text: answer, ended, socket } = attack(text);
    await until(`an answer to ${JSON.stringify(text)}`, () => ended() || answer().includes("\r\n\r\n"));
    assert.match(answer(), /^HTTP\/1.[01] 4\d\d /, text);
    socket.destroy();
  }
  assert.equal(backend.requests(), before);
  await requireService();
});

test("a host that is none leads nowhere", async () => {
  const before = backend.requests();
  for (const host of [
    "",
    "a.example.com:80:80",
    "a.example.com/../x",
    "%00",
    "[::1",
    "x".repeat(300),
    "a.example.com, b",
  ]) {
    const { text, ended } = attack(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    await until(`an answer to host '${host}'`, () => ended());
    assert.match(text(), /^HTTP\/1.[01] 4\d\d /, host);
  }
  const without = attack("GET / HTTP/1.0\r\n\r\n");
  await until("an answer without a host", () => without.ended());
  assert.match(without.text(), /^HTTP\/1.[01] 404 /);
  assert.equal(backend.requests(), before);
});

test("a request cannot hide in the body of another", async () => {
  const hidden = "GET /hidden HTTP/1.1\r\nHost: raw.example.com\r\n\r\n";
  const chunked = `5\r\nhello\r\n0\r\n\r\n`;
  const smuggled = [
    // Two lengths that disagree: RFC 9112, 6.3 wants the one of the chunks, and the other one gone.
    `POST /outer HTTP/1.1\r\nHost: raw.example.com\r\nContent-Length: ${chunked.length + hidden.length}\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}${hidden}`,
    `POST /outer HTTP/1.1\r\nHost: raw.example.com\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n${chunked}${hidden}`,
    `POST /outer HTTP/1.1\r\nHost: raw.example.com\r\nTransfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\nhello${hidden}`,
  ];
  for (const text of smuggled) {
    received = "";
    const { ended, text: answer } = attack(text);
    await until("an answer", () => ended() || answer().includes("\r\n\r\n"));
    assert.doesNotMatch(
      received,
      /content-length:[\s\S]*transfer-encoding:|transfer-encoding:[\s\S]*content-length:/i,
    );
    // Whatever else came is a request of its own, with what the edge adds to each.
    const requests = received.split(/(?=(?:GET|POST) \/)/);
    for (const request of requests) {
      if (request !== "") assert.match(request, /x-forwarded-for: 127\.3\.0\.1/i, text);
    }
  }
});

test("HTTP/2 that is broken ends its own connection", async () => {
  const before = backend.requests();
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  const frame = (length: number, type: number, flags: number, stream: number) =>
    Buffer.from([length >> 16, (length >> 8) & 255, length & 255, type, flags, 0, 0, 0, stream]);
  const broken: (string | Buffer)[][] = [
    [preface, settings, frame(1 << 23, 0, 0, 1)],
    [preface, settings, frame(4, 1, 4, 1), Buffer.from([255, 255, 255, 255])],
    [preface, settings, frame(4, 8, 0, 0), Buffer.from([0, 0, 0, 0])],
    [preface, settings, frame(4, 1, 4, 2), Buffer.from([130, 134, 132, 135])],
    [preface, Buffer.alloc(64, 255)],
    ["PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"],
  ];
  for (const parts of broken) {
    const ca = readFileSync(kit.rootFile);
    const socket = connectTls({
      host: bind,
      port: 443,
      servername: "a.example.com",
      ca,
      ALPNProtocols: ["h2"],
    });
    open.push(socket);
    let ended = false;
    socket.on("error", () => {});
    socket.resume();
    socket.once("close", () => {
      ended = true;
    });
    for (const part of parts) socket.write(part);
    await until("it is let go", () => ended, 15_000);
    await requireService();
  }
  assert.equal(backend.requests(), before + broken.length);
});
