/** Connections to the daemon's TCP port that nobody sends anything on keep nobody out, neither from the API nor from the registry. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { daemonForFile } from "../kit/machine-test.ts";

const uni = await daemonForFile();

/** More than the listener keeps. */
const floodSize = 1_300;

async function flood(localAddress: string, bytes: string): Promise<Socket[]> {
  const { port } = new URL(uni.url);
  const sockets = Array.from({ length: floodSize }, () => {
    const socket = connect({ host: "127.0.0.1", port: Number(port), localAddress });
    socket.on("error", () => {}); // It is closed for another one.
    return socket;
  });
  await Promise.all(
    sockets.map(async (socket) => {
      await once(socket, "connect");
      socket.write(bytes);
    }),
  );
  return sockets;
}

async function ask(
  path: string,
  localAddress: string,
  agent: Agent,
): Promise<{ status: number; reused: boolean }> {
  const { port } = new URL(uni.url);
  const headers = { authorization: `Bearer ${uni.token}` };
  const asked = request({ host: "127.0.0.1", port, path, localAddress, agent, headers });
  asked.end();
  const [response] = await once(asked, "response");
  await text(response);
  return { status: response.statusCode, reused: asked.reusedSocket };
}

for (const [what, bytes] of [
  ["idle", ""],
  ["slow", "GET /v1/instances HTTP/1.1\r\nhost: x\r\n"],
  ["refused", "GET /v1/instances HTTP/1.1\r\nhost: x\r\n\r\n"],
] as const) {
  test(`${what} connections keep nobody out, and end no connection that was used with a token`, async () => {
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    assert.deepEqual(await ask("/v1/instances", "127.0.0.1", kept), { status: 200, reused: false });
    const sockets = await flood("127.0.0.2", bytes);
    try {
      for (const from of ["127.0.0.1", "127.0.0.2"]) {
        const anew = new Agent({ keepAlive: false });
        for (const path of ["/v1/instances", "/v1/healthz", "/v2/", "/v2/_catalog"]) {
          assert.equal((await ask(path, from, anew)).status, 200, `${path} from ${from}`);
        }
      }
      assert.deepEqual(await ask("/v1/instances", "127.0.0.1", kept), { status: 200, reused: true });
    } finally {
      for (const socket of sockets) socket.destroy();
      kept.destroy();
    }
  });
}

test("connections that a registry's visitor uses are kept, too", async () => {
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  assert.deepEqual(await ask("/v2/_catalog", "127.0.0.1", kept), { status: 200, reused: false });
  const sockets = await flood("127.0.0.2", "");
  try {
    assert.deepEqual(await ask("/v2/_catalog", "127.0.0.1", kept), { status: 200, reused: true });
  } finally {
    for (const socket of sockets) socket.destroy();
    kept.destroy();
  }
});
