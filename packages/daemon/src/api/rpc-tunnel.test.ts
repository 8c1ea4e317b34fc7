import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { frameKinds } from "@uni/contract/stream-frames";
import { until } from "../../../../test/kit/until.ts";
import { closedPort } from "./fake-instances.ts";
import { json, opened, run, serve, text } from "./socket-test-kit.ts";

test("tunnel: bytes go both ways, each side ends by itself, and the last frame is a result", async (context) => {
  const { client } = await serve(context);
  const one = await client();
  const id = await run(one, "a");
  one.call("VM.Tunnel", { id, port: 80 });
  one.send(frameKinds.data, "early ");
  assert.deepEqual((await one.reply()).result, opened);
  one.send(frameKinds.data, "late");
  one.send(frameKinds.end, "");
  const frames = await one.frames();
  assert.equal(text(frames, frameKinds.data), "early late");
  const last = frames.slice(-2).map(({ kind }) => kind);
  assert.deepEqual(last, [frameKinds.end, frameKinds.result]);
});

test("tunnel: a closed port, a strange instance and a bad frame are errors", async (context) => {
  const { client } = await serve(context);
  const one = await client();
  const id = await run(one, "a");
  one.call("VM.Tunnel", { id: "nobody", port: 80 });
  assert.equal((await one.reply()).error.data.code, "not_found");
  one.call("VM.Tunnel", { id, port: 0 });
  assert.equal((await one.reply()).error.data.code, "invalid_value");
  one.call("VM.Tunnel", { id, port: closedPort });
  await one.reply();
  assert.equal(json((await one.frames()).at(-1)).code, "unreachable");
  const two = await client();
  two.call("VM.Tunnel", { id, port: 80 });
  await two.reply();
  two.send(frameKinds.stdin, "what");
  assert.equal(json((await two.frames()).at(-1)).code, "malformed");
});

test("tunnel: what one side breaks off is broken off for the other", async (context) => {
  const { core, client } = await serve(context);
  const guests: PassThrough[] = [];
  (core.instances as { dial: typeof core.instances.dial }).dial = async () => {
    guests.push(new PassThrough());
    return guests.at(-1) as PassThrough;
  };
  const one = await client();
  const id = await run(one, "a");
  one.call("VM.Tunnel", { id, port: 80 });
  await one.reply();
  await until("it is dialled", () => guests.length === 1);
  one.socket.destroy();
  await until("the guest's end is gone", () => guests[0]?.destroyed);
  const two = await client();
  two.call("VM.Tunnel", { id, port: 80 });
  await two.reply();
  await until("it is dialled", () => guests.length === 2);
  guests[1]?.destroy(new Error("ECONNRESET"));
  const last = json((await two.frames()).at(-1));
  assert.deepEqual([last.code, /port 80 of instance 'a'/.test(last.message)], ["unreachable", true]);
});
