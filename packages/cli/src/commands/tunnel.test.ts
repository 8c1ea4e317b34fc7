import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { frameKinds } from "@uni/contract/stream-frames";
import { type Peer, type Script, Stream } from "../../../../test/kit/fake-daemon.ts";
import { fakeVm } from "../../../../test/kit/fake-vm.ts";
import { talk } from "../../../../test/kit/run-uni.ts";
import { until } from "../../../../test/kit/until.ts";

const nothing = new Uint8Array();
const found = { "VM.Get": () => fakeVm({ name: "db" }) };

/** Sends back what it gets; after the other side's end says "bye" and ends. */
const echo = () =>
  new Stream(async (peer) => {
    for await (const { kind, payload } of peer.frames) {
      if (kind === frameKinds.end) break;
      peer.send(frameKinds.data, payload);
    }
    peer.send(frameKinds.data, "bye");
    peer.send(frameKinds.end, nothing);
    return { status: "ok" };
  });

/** Runs `uni tunnel` until `body` is done, then presses Ctrl-C. */
async function withTunnel(
  script: Script,
  targets: readonly string[],
  body: (ports: readonly number[], child: ChildProcess) => Promise<void>,
) {
  let failure: unknown;
  const talked = await talk({ ...found, ...script }, ["tunnel", ...targets], {
    onStart: (child) => {
      let printed = "";
      let begun = false;
      child.stdout?.on("data", (chunk) => {
        printed += chunk;
        const lines = printed.split("\n").slice(0, -1);
        if (lines.length < targets.length || begun) return;
        begun = true;
        body(
          lines.map((line) => Number(/:(\d+) ->/.exec(line)?.[1])),
          child,
        )
          .catch((error: unknown) => {
            failure = error;
          })
          .finally(() => child.kill("SIGINT"));
      });
    },
  });
  if (failure !== undefined) throw failure;
  return talked;
}

async function open(port = 0): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}

/** "!CODE" when it is broken off. */
const rest = (socket: Socket): Promise<string> =>
  text(socket.iterator({ destroyOnReturn: false })).catch((error: NodeJS.ErrnoException) => `!${error.code}`);

test("a connection goes to the instance and back, and an end leaves the other way open", async () => {
  const { code, stdout, stderr, calls } = await withTunnel(
    { "VM.Tunnel": echo },
    ["db:5432"],
    async ([port]) => {
      const socket = await open(port);
      socket.end("hello ");
      assert.equal(await rest(socket), "hello bye");
    },
  );
  assert.deepEqual([code, stderr], [130, ""]);
  assert.match(stdout, /^127\.0\.0\.1:\d+ -> db:5432\n$/);
  assert.deepEqual(calls.at(-1), { method: "VM.Tunnel", params: { id: "db", port: 5432 } });
});

test("the instance may end first, and still hears", async () => {
  const heard = Promise.withResolvers<string>();
  const script = {
    "VM.Tunnel": () =>
      new Stream(async (peer) => {
        peer.send(frameKinds.data, "that was all");
        peer.send(frameKinds.end, nothing);
        heard.resolve(await heardBy(peer));
        return { status: "ok" };
      }),
  };
  await withTunnel(script, ["db:1"], async ([port]) => {
    const socket = await open(port);
    assert.equal(await rest(socket), "that was all");
    socket.end("thanks");
    assert.equal(await heard.promise, "thanks");
  });
});

async function heardBy(peer: Peer): Promise<string> {
  let all = "";
  for await (const { kind, payload } of peer.frames) {
    if (kind === frameKinds.end) return all;
    all += Buffer.from(payload);
  }
  return `${all} and gone`;
}

test("twenty connections at once, each with what is its own, and much of it", async () => {
  await withTunnel({ "VM.Tunnel": echo }, ["db:1", "db:2"], async (ports) => {
    const one = async (index: number) => {
      const sent = randomBytes(1 << 20);
      const socket = await open(ports[index % 2]);
      socket.end(sent);
      const chunks: Buffer[] = [];
      for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
      const sha = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
      assert.equal(sha(Buffer.concat(chunks).subarray(0, -3)), sha(sent));
    };
    await Promise.all(Array.from({ length: 20 }, (_, index) => one(index)));
  });
});

test("what fails is reset and said, and the next connection is tried anew", async () => {
  let times = 0;
  const script = {
    "VM.Tunnel": () => {
      times += 1;
      if (times === 1)
        throw new UniError("unreachable", "connect to port 1 of instance 'db': nobody listens");
      return times === 2 ? new Stream(async (peer) => peer.socket.destroy()) : echo();
    },
  };
  const { code, stderr } = await withTunnel(script, ["db:1"], async ([port]) => {
    for (const expected of ["!ECONNRESET", "!ECONNRESET", "bye"]) {
      const socket = await open(port);
      if (expected === "bye") socket.end();
      assert.equal(await rest(socket), expected);
    }
  });
  assert.equal(code, 130);
  const [first, second] = stderr.split("\n").filter((line) => line.startsWith("Error:"));
  assert.match(first ?? "", /nobody listens/);
  assert.match(second ?? "", /connection to unid was lost/);
});

test("a client that breaks off is gone for the daemon too, without a word", async () => {
  const left = Promise.withResolvers<void>();
  let opened = false;
  const script = {
    "VM.Tunnel": () =>
      new Stream(async (peer) => {
        opened = true;
        await peer.gone;
        left.resolve();
      }),
  };
  const { stderr } = await withTunnel(script, ["db:1"], async ([port]) => {
    const socket = await open(port);
    await until("it is carried", () => opened);
    socket.resetAndDestroy();
    await left.promise;
  });
  assert.equal(stderr, "");
});

test("what cannot be is told at the beginning", async () => {
  const script = {
    "VM.Get": ({ id }: { readonly id?: unknown }) => {
      if (id === "gone") throw new UniError("not_found", "no instance 'gone'");
      return fakeVm({ name: "db", state: id === "old" ? "stopped" : "running" });
    },
  };
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  try {
    const cases: [string[], number, RegExp][] = [
      [["gone:80"], 66, /no instance 'gone'/],
      [["db:1", "old:80"], 69, /it is stopped\nHint: Start it first: uni start db/],
      [[`${port}:db:80`], 69, new RegExp(`127.0.0.1:${port}: another program has it`)],
      [["192.0.2.1:0:db:80"], 64, /no such address/],
      [["db"], 64, /LOCAL:NAME:PORT/],
      [["db:0"], 64, /not a port/],
      [["db:80/udp"], 64, /not a port/],
      [["::1:80:db:80"], 64, /LOCAL:NAME:PORT/],
      [[], 64, /missing/],
    ];
    for (const [args, status, message] of cases) {
      const { code, stderr, stdout } = await talk(script, ["tunnel", ...args]);
      assert.deepEqual([code, stdout], [status, ""], `${args.join(" ")}: ${stderr}`);
      assert.match(stderr, message);
    }
  } finally {
    server.close();
  }
});
