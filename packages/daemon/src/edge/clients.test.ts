/** Clients as people have them: h2load and nghttp, a WebSocket, curl with event streams, pipelined requests. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { after, before, test } from "node:test";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { bind, edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile, backendPort } from "../../../../test/kit/edge-backends.ts";
import { until } from "../../../../test/kit/until.ts";
import type { EdgeMember } from "./port.ts";

const one = "127.1.0.1";
const two = "127.1.0.2";
const echo = "127.1.0.3";
const run = promisify(execFile);

const { kit, edge } = await edgeForFile();
const backends = [await backendForFile("one", one), await backendForFile("two", two)];
let echoServer: Server;

before(async () => {
  echoServer = createServer().on("upgrade", ({ headers }, socket) => {
    const accept = createHash("sha1")
      .update(`${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("error", () => {});
    socket.on("data", (frame: Buffer) => {
      socket.write(unmasked(frame));
      // The server ends the connection, after the client's word.
      if (((frame[0] ?? 0) & 15) === 8) socket.end();
    });
  });
  echoServer.listen(backendPort, echo);
  await once(echoServer, "listening");
});

async function apply(state: EdgeMember["state"]): Promise<void> {
  const plain = { kind: "http", port: 80, destinationPort: backendPort, tls: false, proxy: false } as const;
  const certificate = kit.planOf().defaultCertificate;
  await edge.apply(
    kit.planOf(
      kit.group("a", { [one]: state, [two]: state }),
      // A client that can be told no address is led by the one that it takes for a name.
      kit.group("echo", { [echo]: state }, { ports: [plain], domains: [{ fqdn: bind, certificate }] }),
    ),
  );
}

after(() => echoServer.close());

/** A short frame of a client as the server's own (RFC 6455, 5.2). */
function unmasked(frame: Buffer): Buffer {
  const length = (frame[1] ?? 0) & 0x7f;
  const mask = frame.subarray(2, 6);
  const payload = frame.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([Buffer.from([frame[0] ?? 0, length]), payload]);
}

for (const state of ["awake", "asleep"] as const) {
  test(`members that are ${state}: h2load: many streams of many connections, over HTTP/2 and HTTP/1.1, all answered`, async () => {
    await apply(state);
    for (const options of [
      ["-c", "10", "-m", "20"],
      ["-c", "20", "--h1"],
    ]) {
      const to = [`--connect-to=${bind}:443`, "https://a.example.com/"];
      const { stdout } = await run("h2load", ["-n", "2000", ...options, ...to]);
      assert.match(stdout, /2000 succeeded, 0 failed, 0 errored/);
      assert.match(stdout, /status codes: 2000 2xx/);
    }
    // Sleepers are filled one after the other.
    if (state === "awake") assert.ok(backends.every((backend) => backend.requests() > 0));
  });

  test(`members that are ${state}: nghttp: pages and uploads`, async () => {
    const to = ["--no-verify-peer", "-H", ":authority: a.example.com", `https://${bind}/x`];
    const { stdout } = await run("nghttp", ["-v", ...to]);
    assert.match(stdout, /:status: 200/);
    assert.match(stdout, /"url":"\/x"/);
    const posted = await run("nghttp", ["-v", "-d", kit.rootFile, ...to]);
    assert.match(posted.stdout, /:status: 200/);
  });

  test(`members that are ${state}: a WebSocket carries messages both ways`, async () => {
    const socket = new WebSocket(`ws://${bind}/`);
    const messages: unknown[] = [];
    socket.addEventListener("message", ({ data }) => messages.push(data));
    await once(socket, "open");
    socket.send("one");
    await until("the first echo", () => messages.length === 1);
    socket.send("two");
    await until("the second echo", () => messages.length === 2);
    assert.deepEqual(messages, ["one", "two"]);
    socket.close();
    await once(socket, "close");
  });

  test(`members that are ${state}: curl sees each event of a stream when it is sent`, async () => {
    const resolve = ["--resolve", `a.example.com:443:${bind}`, "--cacert", kit.rootFile];
    const child = spawn("curl", ["-sN", ...resolve, "https://a.example.com/events"]);
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
    });
    await until("the first event", () => text.includes("data: first"));
    child.kill();
    await once(child, "exit");
  });

  test(`members that are ${state}: a connection is used again, and pipelined requests are answered in their order`, async () => {
    const resolve = ["--resolve", `a.example.com:443:${bind}`, "--cacert", kit.rootFile];
    const url = "https://a.example.com/";
    const { stdout } = await run("curl", [
      "-s",
      "--http1.1",
      ...resolve,
      "-w",
      "\n%{num_connects}\n",
      url,
      url,
    ]);
    assert.deepEqual(stdout.match(/^\d$/gm), ["1", "0"]);
    const ca = readFileSync(kit.rootFile);
    const socket = connect({ host: bind, port: 443, servername: "a.example.com", ca });
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    const paths = ["/1", "/2", "/3"];
    socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a.example.com\r\n\r\n`).join(""));
    await until("three answers", () => text.split("HTTP/1.1 200").length === 4);
    assert.deepEqual(
      [...text.matchAll(/"url":"([^"]*)"/g)].map(([, path]) => path),
      paths,
    );
    socket.destroy();
  });
}
