/** What clients of each kind are told when no member answers. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import { edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile, backendPort, startBackend } from "../../../../test/kit/edge-backends.ts";
import { until } from "../../../../test/kit/until.ts";

const one = "127.1.0.1";
/** Nothing listens there. */
const silent = "127.1.0.9";
/** Closes each connection at the first byte. */
const rude = "127.1.0.8";

const { kit, edge } = await edgeForFile();
const backend = await backendForFile(one, one);
/** What is sent there is lost. */
const mute = "127.1.0.7";
const rudeServer = createServer((socket) => socket.once("data", () => socket.destroy()));

before(async () => {
  const input = "add chain ip lost input { type filter hook input priority 0; }";
  execFileSync("nft", [`add table ip lost; ${input}; add rule ip lost input ip daddr ${mute} drop`]);
  rudeServer.listen(backendPort, rude);
  await once(rudeServer, "listening");
});

after(() => rudeServer.close());

interface Expected {
  readonly status: number;
  readonly words: RegExp;
  readonly retryAfter?: string;
}

/** By HTTP/1.1 and HTTP/2, as a page, as JSON, as headers alone and as gRPC: all at once. */
async function requireAnswer(host: string, expected: Expected): Promise<void> {
  await Promise.all([
    requirePages(host, "--http1.1", expected),
    requirePages(host, "--http2", expected),
    requireGrpcAnswer(host, expected),
  ]);
}

async function requirePages(
  host: string,
  version: string,
  { status, words, retryAfter }: Expected,
): Promise<void> {
  const ask = (...options: readonly string[]) => kit.curl(`https://${host}/`, version, ...options);
  const [page, json, head] = await Promise.all([
    ask("-D", "-"),
    ask("-H", "Accept: application/json"),
    ask("-I"),
  ]);
  assert.deepEqual([page.status, json.status, head.status], [status, status, status]);
  assert.match(page.type, /^text\/html/);
  assert.match(page.body, words);
  assert.doesNotMatch(page.body, /x-uni-edge/);
  assert.equal(/^retry-after: (\d+)/im.exec(page.body)?.[1], retryAfter);
  assert.match(json.type, /^application\/json/);
  assert.equal(JSON.parse(json.body).errors[0].status, status);
  assert.doesNotMatch(head.body, words);
}

async function requireGrpcAnswer(host: string, { words }: Expected): Promise<void> {
  const call = await callGrpc(host);
  assert.equal(call[":status"], 200);
  assert.equal(call["content-type"], "application/grpc");
  assert.equal(call["grpc-status"], "14");
  assert.match(String(call["grpc-message"]), words);
}

/** The headers that come first, which are the trailers when nothing else comes. */
async function callGrpc(host: string): Promise<IncomingHttpHeaders> {
  const client = connectHttp2(`https://${host}`, {
    ca: readFileSync(kit.rootFile),
    lookup: (_name, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }]),
  });
  const call = client.request({
    ":method": "POST",
    ":path": "/s/m",
    "content-type": "application/grpc",
    te: "trailers",
  });
  call.end("message");
  const [headers] = (await once(call, "response")) as [IncomingHttpHeaders];
  call.resume();
  await once(call, "close");
  client.close();
  return headers;
}

test("a name that nobody has", async () => {
  await edge.apply(kit.planOf(kit.group("a", {})));
  await requireAnswer("nobody.example.com", { status: 404, words: /Service not found/ });
});

test("a group without members", async () => {
  await edge.apply(kit.planOf(kit.group("a", {})));
  await requireAnswer("a.example.com", { status: 503, words: /No instance/, retryAfter: "10" });
});

test("a full group", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" }, { hardLimit: 1 })));
  const before = backend.requests();
  const held = kit.curl("https://a.example.com/held");
  await until("the first request is with the member", () => backend.requests() > before);
  await requireAnswer("a.example.com", { status: 503, words: /full/, retryAfter: "1" });
  backend.answerHeld();
  assert.equal((await held).status, 200);
});

test("an application that does not listen", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [silent]: "awake" })));
  await requireAnswer("a.example.com", { status: 502, words: /does not listen/ });
  await edge.apply(kit.planOf(kit.group("a", { [silent]: "awake", "127.1.0.10": "awake" })));
  await requireAnswer("a.example.com", { status: 502, words: /does not listen/ });
});

test("an application that breaks off", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [rude]: "awake" })));
  // Over HTTP/2 HAProxy ends the connection instead, upon which clients try again by themselves.
  const page = await kit.curl("https://a.example.com/", "--http1.1");
  assert.equal(page.status, 502);
  assert.match(page.body, /broke off/);
});

test("an application's own errors pass as they are", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" })));
  for (const status of [502, 503, 504]) {
    const own = await kit.curl(`https://a.example.com/status/${status}`, "-H", "Accept: application/json");
    assert.equal(own.status, status);
    assert.match(own.body, /"name":"127\.1\.0\.1"/);
  }
});

test("a program that starts is waited for", async () => {
  const late = "127.1.0.4";
  await edge.apply(kit.planOf(kit.group("a", { [late]: "starting" })));
  const answer = kit.curl("https://a.example.com/");
  const early = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 200, "waits"))]);
  assert.equal(early, "waits");
  const listening = await startBackend("late", late);
  assert.equal(JSON.parse((await answer).body).name, "late");
  await listening.close();
});

test("sleepers that refuse connections or do not wake are told in the end", async () => {
  const hosts = { a: silent, b: mute };
  const groups = Object.entries(hosts).map(([name, address]) => kit.group(name, { [address]: "asleep" }));
  await edge.apply(kit.planOf(...groups));
  const expected = { status: 504, words: /Wake-up failed/, retryAfter: "10" };
  await Promise.all(Object.keys(hosts).map((name) => requireAnswer(`${name}.example.com`, expected)));
});
