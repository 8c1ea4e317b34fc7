import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { encodeFrame, encodeJsonFrame, frameKinds } from "@uni/contract/stream-frames";
import {
  events,
  type Script,
  Stream,
  silence,
  startFakeDaemon,
  upload,
} from "../../../test/kit/fake-daemon.ts";
import type { UniClient } from "./client.ts";
import { connect } from "./connect.ts";
import { uploadTo } from "./upload.ts";

async function withDaemon(script: Script, use: (client: UniClient) => Promise<void>): Promise<void> {
  const daemon = await startFakeDaemon(script);
  try {
    await use(connect({ socketPath: daemon.socketPath }));
  } finally {
    await daemon.close();
  }
}

/** A server that writes what it is told as soon as a request came, cut as the test says. */
async function withBytes(
  pieces: readonly (string | Uint8Array)[],
  use: (client: UniClient) => Promise<void>,
) {
  const directory = mkdtempSync(join(tmpdir(), "uni-sdk-"));
  const path = join(directory, "s");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", async () => {
      for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve));
      socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await use(connect({ socketPath: path }));
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  }
}

test("a call gives its result", async () => {
  await withDaemon({ "Daemon.Version": () => ({ version: "1" }) }, async (client) => {
    assert.deepEqual(await client.call("Daemon.Version", {}), { version: "1" });
  });
});

test("a refusal is the UniError that the daemon threw", async () => {
  const refuse = () => {
    throw new UniError("not_found", "no instance 'x'", { hint: "See uni ps." });
  };
  await withDaemon({ "VM.Get": refuse }, async (client) => {
    await assert.rejects(client.call("VM.Get", { id: "x" }), {
      name: "UniError",
      code: "not_found",
      message: "no instance 'x'",
      hint: "See uni ps.",
    });
  });
});

test("an unknown method, and a code from the future", async () => {
  await withDaemon({}, async (client) => {
    await assert.rejects(client.call("Daemon.Info", {}), { code: "not_supported" });
  });
  const reply = {
    jsonrpc: "2.0",
    id: 1,
    error: { code: -32000, message: "m", data: { code: "new_one", message: "why" } },
  };
  await withBytes([`${JSON.stringify(reply)}\n`], async (client) => {
    await assert.rejects(client.call("Daemon.Info", {}), { code: "internal", message: "why" });
  });
});

test("nobody there, nobody answering, nothing sensible", async () => {
  await assert.rejects(connect({ socketPath: "/nonexistent/s" }).call("Daemon.Info", {}), {
    code: "unreachable",
  });
  await withBytes(["{half"], async (client) => {
    await assert.rejects(client.call("Daemon.Info", {}), { code: "unreachable" });
  });
  await withBytes(["not json\n"], async (client) => {
    await assert.rejects(client.call("Daemon.Info", {}), { code: "internal" });
  });
  await withDaemon({ "Daemon.Info": () => silence }, async (client) => {
    await assert.rejects(client.call("Daemon.Info", {}, { timeoutMs: 20 }), { code: "timed_out" });
    const controller = new AbortController();
    const reason = new Error("enough");
    const call = client.call("Daemon.Info", {}, { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(call, reason);
  });
});

test("a reply and frames may be cut anywhere", async () => {
  const reply = Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"stream":true}}\n');
  const frames = Buffer.concat([
    encodeJsonFrame(frameKinds.event, { line: "é" }),
    encodeFrame(frameKinds.end, new Uint8Array(0)),
    encodeJsonFrame(frameKinds.result, {}),
  ]);
  const all = Buffer.concat([reply, frames]);
  for (const size of [1, 7, all.length]) {
    const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
      all.subarray(i * size, (i + 1) * size),
    );
    await withBytes(pieces, async (client) => {
      const seen: unknown[] = [];
      for await (const event of client.events("VM.Logs", { id: "x", follow: true })) seen.push(event);
      assert.deepEqual(seen, [{ line: "é" }]);
    });
  }
});

test("a stream that fails throws the daemon's reason; one that breaks off is lost", async () => {
  const script: Script = {
    "VM.CopyOut": () =>
      new Stream(async () => {
        throw new UniError("guest_unreachable", "the agent is gone");
      }),
    "Daemon.Events": () =>
      new Stream(async (peer) => {
        peer.socket.destroy();
        return {};
      }),
  };
  await withDaemon(script, async (client) => {
    const stream = await client.open("VM.CopyOut", { id: "x", path: "/" });
    await assert.rejects(stream.finish(), { code: "guest_unreachable" });
    await assert.rejects(
      async () => {
        for await (const _ of client.events("Daemon.Events", {}));
      },
      { code: "unreachable" },
    );
  });
});

test("a stream's protocol error is no crash", async () => {
  const pieces = ['{"jsonrpc":"2.0","id":1,"result":{"stream":true}}\n', Buffer.from([99, 0, 0, 0, 0])];
  await withBytes(pieces, async (client) => {
    await assert.rejects(
      async () => {
        for await (const _ of client.events("Daemon.Events", {}));
      },
      { code: "internal" },
    );
  });
});

test("leaving an iteration closes the connection", async () => {
  const left = Promise.withResolvers<void>();
  const script: Script = {
    "Daemon.Events": () =>
      new Stream(async (peer) => {
        peer.sendJson(frameKinds.event, { type: "created" });
        await peer.gone;
        left.resolve();
        return {};
      }),
  };
  await withDaemon(script, async (client) => {
    for await (const _ of client.events("Daemon.Events", {})) break;
    await left.promise;
  });
});

test("an upload arrives whole, and a source that fails is what is thrown", async () => {
  const script: Script = {
    "Image.Load": () => upload((bytes) => [bytes.length]),
    "Daemon.Events": () => events(),
  };
  await withDaemon(script, async (client) => {
    async function* source() {
      yield Buffer.alloc(3 << 20);
      yield Buffer.from("tail");
    }
    const stream = await client.open("Image.Load", {});
    assert.deepEqual(await uploadTo(stream, source()), [(3 << 20) + 4]);
    const reason = new Error("disk gone");
    async function* broken() {
      yield Buffer.from("x");
      throw reason;
    }
    await assert.rejects(uploadTo(await client.open("Image.Load", {}), broken()), reason);
  });
});

test("the last word is heard even when the daemon closes while we still write", async () => {
  const closed = Promise.withResolvers<void>();
  let write = () => {};
  const script: Script = {
    "VM.Exec": () =>
      new Stream(async (peer) => {
        for await (const { kind } of peer.frames) if (kind === frameKinds.stdin) break;
        peer.send(frameKinds.stdout, "last word");
        peer.sendJson(frameKinds.result, { exit_code: 3 });
        // In the same turn of the loop: the client has not read yet when its next write fails.
        peer.socket.once("close", () => {
          write();
          closed.resolve();
        });
        peer.socket.destroy();
        await closed.promise;
      }),
  };
  await withDaemon(script, async (client) => {
    const stream = await client.open("VM.Exec", { id: "x", argv: ["head", "-1"] });
    write = () => void stream.write(frameKinds.stdin, Buffer.from("more"));
    await stream.write(frameKinds.stdin, Buffer.from("y"));
    let seen = "";
    const { exit_code } = await stream.finish(({ payload }) => {
      seen += Buffer.from(payload).toString();
    });
    assert.deepEqual([seen, exit_code], ["last word", 3]);
  });
});
