import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { UniError } from "@uni/contract/errors";
import { frameKinds } from "@uni/contract/stream-frames";
import { until } from "../../../../test/kit/until.ts";
import { silentLog } from "../base/log.ts";
import { createFakeCore } from "./fake-core.ts";
import { startSocket } from "./socket.ts";

import { json, opened, run, serve, text } from "./socket-test-kit.ts";

test("requests of one connection are answered in order, however they are cut", async (context) => {
  const { client } = await serve(context);
  const one = await client();
  const lines = ["VM.List", "Daemon.Version", "VM.Nothing"].map((method, id) =>
    JSON.stringify({ jsonrpc: "2.0", id, method }),
  );
  const bytes = Buffer.from(`${lines.join("\n")}\n\r\n`);
  one.socket.write(bytes.subarray(0, 11));
  one.socket.write(bytes.subarray(11));
  const replies = [await one.reply(), await one.reply(), await one.reply()];
  assert.deepEqual(
    replies.map(({ id }) => id),
    [0, 1, 2],
  );
  assert.equal(replies[2].error.code, -32601);
});

test("a client may close its side before it reads", async (context) => {
  const { client } = await serve(context);
  const one = await client();
  one.call("Daemon.Version");
  one.socket.end();
  assert.equal((await one.reply()).result.version, "0.1.0");
});

test("exec: input, both outputs, resize, signal and exit code", async (context) => {
  const { client } = await serve(context);
  const one = await client();
  const id = await run(one, "a");
  one.call("VM.Exec", { id, argv: ["cat"], terminal: { rows: 1, columns: 2 } });
  // Before the reply: what comes early belongs to the stream.
  one.send(frameKinds.stdin, "hello ");
  assert.deepEqual((await one.reply()).result, opened);
  one.sendJson(frameKinds.resize, { rows: 3, columns: 4 });
  one.sendJson(frameKinds.signal, { signal: "SIGINT" });
  one.send(frameKinds.stdin, "world");
  one.send(frameKinds.end, "");
  const frames = await one.frames();
  const stdout = text(frames, frameKinds.stdout);
  for (const part of ["hello ", "[3x4]", "[SIGINT]", "world"]) assert.ok(stdout.includes(part), stdout);
  assert.equal(text(frames, frameKinds.stderr), "to stderr");
  assert.deepEqual([frames.at(-1)?.kind, json(frames.at(-1))], [frameKinds.result, { exit_code: 7 }]);
});

test("exec: what cannot start is an error line, a bad frame an error frame", async (context) => {
  const { client } = await serve(context);
  const one = await client();
  const id = await run(one, "a");
  one.call("VM.Exec", { id, argv: ["nothere"] });
  assert.equal((await one.reply()).error.data.code, "guest_failed");
  one.call("VM.Exec", { id, argv: ["cat"] });
  await one.reply();
  one.sendJson(frameKinds.resize, { rows: 0, columns: 4 });
  const frames = await one.frames();
  assert.deepEqual([frames.at(-1)?.kind, json(frames.at(-1)).code], [frameKinds.error, "malformed"]);
});

test("exec: the program is closed when its client goes", async (context) => {
  const { core, client } = await serve(context);
  const one = await client();
  const id = await run(one, "a");
  const closed = Promise.withResolvers<void>();
  const exec = core.instances.exec;
  (core.instances as { exec: typeof exec }).exec = async (...given) => {
    const session = await exec(...given);
    return { ...session, close: async () => closed.resolve() };
  };
  one.call("VM.Exec", { id, argv: ["cat"] });
  await one.reply();
  one.socket.destroy();
  await closed.promise;
});

test("console: both outputs and input; its client's going closes it, and ends no input", async (context) => {
  const { core, client } = await serve(context);
  const one = await client();
  const id = await run(one, "a");
  one.call("VM.Console", { id, start: true, terminal: { rows: 1, columns: 2 } });
  one.send(frameKinds.stdin, "hello ");
  assert.deepEqual((await one.reply()).result, opened);
  one.sendJson(frameKinds.resize, { rows: 3, columns: 4 });
  one.sendJson(frameKinds.signal, { signal: "SIGINT" });
  one.send(frameKinds.end, "");
  const frames = await one.frames();
  assert.equal(text(frames, frameKinds.stdout), 'a {"start":true,"terminal":{"rows":1,"columns":2}}\n');
  assert.equal(text(frames, frameKinds.stderr), "hello [3x4][SIGINT]");
  assert.deepEqual([frames.at(-1)?.kind, json(frames.at(-1))], [frameKinds.result, { exit_code: 5 }]);

  const closed = Promise.withResolvers<boolean>();
  const console = core.instances.console;
  (core.instances as { console: typeof console }).console = async (...given) => {
    const session = await console(...given);
    let isEnded = false;
    session.stdin.once("finish", () => {
      isEnded = true;
    });
    return { ...session, close: async () => closed.resolve(isEnded) };
  };
  const other = await client();
  other.call("VM.Console", { id });
  await other.reply();
  other.socket.destroy();
  assert.equal(await closed.promise, false);
});

test("logs: all at once, or lines as events", async (context) => {
  const { client } = await serve(context);
  const one = await client();
  const id = await run(one, "a");
  one.call("VM.Logs", { id, since: "yesterday" });
  assert.equal((await one.reply()).error.data.code, "invalid_value");
  one.call("VM.Logs", { id, tail: 1 });
  assert.deepEqual((await one.reply()).result, opened);
  const frames = await one.frames();
  assert.equal(json(frames[0]).line, "a says hello");
  assert.equal(frames.at(-1)?.kind, frameKinds.result);
});

test("attach: raw bytes both ways until the instance stops", async (context) => {
  const { client } = await serve(context);
  const one = await client();
  const id = await run(one, "a");
  one.call("VM.Attach", { id });
  assert.deepEqual((await one.reply()).result, opened);
  one.socket.end();
  assert.equal(await one.bytes(), "a console\n");
});

test("copy in, then out again", async (context) => {
  const { client } = await serve(context);
  const one = await client();
  const id = await run(one, "a");
  one.call("VM.CopyIn", { id, path: "/x" });
  await one.reply();
  const content = Buffer.alloc(3 << 20, "tar");
  for (let start = 0; start < content.length; start += 1 << 20) {
    one.send(frameKinds.data, content.subarray(start, start + (1 << 20)));
  }
  one.send(frameKinds.end, "");
  assert.deepEqual(json((await one.frames()).at(-1)), { bytes: content.length, entries: 1 });

  const two = await client();
  two.call("VM.CopyOut", { id, path: "/x" });
  assert.deepEqual((await two.reply()).result, opened);
  const frames = await two.frames();
  assert.ok(text(frames, frameKinds.data) === content.toString());
  assert.deepEqual(json(frames.at(-1)), { bytes: content.length });
  const three = await client();
  three.call("VM.CopyOut", { id, path: "/none" });
  assert.equal((await three.reply()).error.data.code, "not_found");
});

test("build and load: upload, progress, result or the reason", async (context) => {
  const { core, client } = await serve(context);
  for (const [method, params, last] of [
    ["Image.Build", { kind: "context", reference: "a" }, frameKinds.result],
    ["Image.Load", {}, frameKinds.result],
    ["Image.Build", { kind: "context", reference: "a", target: "broken" }, frameKinds.error],
  ] as const) {
    const one = await client();
    one.call(method, params);
    await one.reply();
    one.send(frameKinds.data, "bytes");
    one.send(frameKinds.end, "");
    const frames = await one.frames();
    assert.equal(frames.filter(({ kind }) => kind === frameKinds.progress).length, 1, method);
    assert.equal(frames.at(-1)?.kind, last, method);
    if (last === frameKinds.error) assert.equal(json(frames.at(-1)).hint, "Look above.");
  }
  assert.deepEqual(core.uploads.map(String), ["bytes", "bytes", "bytes"]);
});

test("looking into an image and saving one: events or bytes, then the result", async (context) => {
  const { client } = await serve(context);
  const play = async (method: string, params: object) => {
    const one = await client();
    one.call(method, params);
    await one.reply();
    return one.frames();
  };
  const listed = await play("Image.Files", { reference: "hello", path: "/" });
  assert.equal(json(listed[0]).path, "hello");
  assert.deepEqual(json(listed.at(-1)), { entries: 1 });
  const read = await play("Image.ReadFile", { reference: "hello", path: "/hello" });
  assert.equal(text(read, frameKinds.data), "hey");
  assert.deepEqual(json(read.at(-1)), { bytes: 3 });
  const missing = await play("Image.ReadFile", { reference: "hello", path: "/none" });
  assert.equal(json(missing.at(-1)).code, "not_found");
  const copied = await play("Image.CopyOut", { reference: "hello", path: "/" });
  assert.equal(text(copied, frameKinds.data), "tar");
  const saved = await play("Image.Save", { references: ["hello"], format: "docker" });
  assert.match(text(saved, frameKinds.data), /^docker sha256:/);
  const pushed = await play("Image.Push", { reference: "hello", destination: "registry.example.com/a:1" });
  assert.equal(pushed[0]?.kind, frameKinds.progress);
  assert.equal(json(pushed.at(-1)).reference, "registry.example.com/a:1");
  const none = await play("Image.Save", { references: ["none"] });
  assert.equal(json(none.at(-1)).code, "image_not_found");
});

test("an upload that its client leaves fails", async (context) => {
  const { core, client } = await serve(context);
  const failed = Promise.withResolvers<unknown>();
  (core.images.of(core.socketAccount) as { build: unknown }).build = async ({
    upload,
  }: {
    upload: AsyncIterable<Buffer>;
  }) => {
    try {
      for await (const _ of upload);
    } catch (error) {
      failed.resolve(error);
      throw error;
    }
  };
  const one = await client();
  one.call("Image.Build", { kind: "context", reference: "a" });
  await one.reply();
  one.send(frameKinds.data, "half");
  one.socket.destroy();
  const error = await failed.promise;
  assert.ok(error instanceof UniError && error.code === "unreachable", String(error));
});

test("kernel update reports progress; events go on until the client leaves", async (context) => {
  const { core, client } = await serve(context);
  const one = await client();
  one.call("Kernel.Update");
  await one.reply();
  const frames = await one.frames();
  assert.deepEqual(
    frames.map(({ kind }) => kind),
    [frameKinds.progress, frameKinds.result],
  );
  const two = await client();
  two.call("Daemon.Events");
  await two.reply();
  core.emit({ time: "2026-01-01T00:00:00Z", type: "created", name: "a" });
  assert.equal(json(await two.frame()).name, "a");
});

test("a wait ends with its client", async (context) => {
  const { core, client } = await serve(context);
  const one = await client();
  const id = await run(one, "a");
  core.hold = true;
  one.call("VM.Wait", { id });
  await until("the wait began", () => core.waiting.size === 1);
  one.socket.destroy();
  await until("the wait ended", () => core.waiting.size === 0);
});

test("a line that is too long is answered and ends the connection", async (context) => {
  const { client } = await serve(context);
  const one = await client();
  one.socket.write(Buffer.alloc((8 << 20) + 2, "x"));
  assert.equal((await one.reply()).error.data.code, "too_large");
  assert.equal(await one.bytes(), "");
});

test("the file is its owner's, and goes with the listener", async () => {
  const directory = mkdtempSync(join(tmpdir(), "uni-socket-"));
  const path = join(directory, "s");
  const listener = await startSocket(createFakeCore(), { path, log: silentLog });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await assert.rejects(startSocket(createFakeCore(), { path, log: silentLog }), { code: "in_use" });
  await listener.close();
  assert.equal(existsSync(path), false);
  const shared = await startSocket(createFakeCore(), { path, log: silentLog, mode: 0o660 });
  assert.equal(statSync(path).mode & 0o777, 0o660);
  await shared.close();
  rmSync(directory, { recursive: true });
});

test("a socket that nobody answers on is replaced; any other file is not", async () => {
  const directory = mkdtempSync(join(tmpdir(), "uni-socket-"));
  const path = join(directory, "s");
  const stale = createServer().listen(join(directory, "t"));
  await once(stale, "listening");
  // Renamed, the file outlives its server, as it does when a daemon is killed.
  renameSync(join(directory, "t"), path);
  stale.close();
  const listener = await startSocket(createFakeCore(), { path, log: silentLog });
  await listener.close();
  writeFileSync(path, "precious");
  await assert.rejects(startSocket(createFakeCore(), { path, log: silentLog }), { code: "in_use" });
  assert.ok(existsSync(path));
  await assert.rejects(startSocket(createFakeCore(), { path: `/${"x".repeat(120)}`, log: silentLog }), {
    code: "invalid_value",
  });
  rmSync(directory, { recursive: true });
});
