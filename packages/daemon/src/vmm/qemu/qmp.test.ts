import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { systemClock as clock } from "../../base/clock.ts";
import { connectQmp, type QmpEvent } from "./qmp.ts";
import { type Script, ScriptedQmp } from "./scripted-qmp.ts";

let directory: string;
let server: ScriptedQmp;
const never = new AbortController().signal;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "qmp-"));
});
afterEach(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

async function connect(script: Script, onEvent: (event: QmpEvent) => void = () => {}) {
  const path = join(directory, "qmp");
  server = await ScriptedQmp.listen(path, script);
  return connectQmp(path, clock, onEvent, never);
}

test("answers go to their questions, also side by side", async () => {
  const qmp = await connect((command, args) => ({ command, args }));
  const [first, second] = await Promise.all([qmp.execute("one", { a: 1 }), qmp.execute("two")]);
  assert.deepEqual(first, { command: "one", args: { a: 1 } });
  assert.deepEqual(second, { command: "two", args: {} });
  qmp.close();
  await qmp.closed;
});

test("an error answer carries QEMU's words and what was asked", async () => {
  const qmp = await connect(() => {
    throw new Error("no such thing");
  });
  await assert.rejects(qmp.execute("frobnicate"), /frobnicate: no such thing/);
  qmp.close();
});

test("a question without answer ends at its deadline, and an answer that comes late is no other's", async () => {
  const qmp = await connect((command) => (command === "wait" ? undefined : command));
  await assert.rejects(qmp.execute("wait", {}, 10), /no answer in 10 ms/);
  const next = qmp.execute("next");
  server.send('{"return":"late"}\n');
  assert.equal(await next, "next");
  qmp.close();
});

test("nothing is sent that says nothing: QEMU reads byte by byte", async () => {
  const qmp = await connect(() => ({}));
  await qmp.execute("stop");
  await qmp.execute("do", { x: 1 });
  assert.deepEqual(server.lines.slice(1), ['{"execute":"stop"}', '{"execute":"do","arguments":{"x":1}}']);
  qmp.close();
});

test("a broken connection ends all questions, and later ones at once", async () => {
  const qmp = await connect(() => void server.drop());
  await assert.rejects(qmp.execute("one"), /connection broke/);
  await qmp.closed;
  await assert.rejects(qmp.execute("two"), /not connected/);
});

test("events are handed on", async () => {
  const seen = Promise.withResolvers<QmpEvent>();
  const qmp = await connect(() => ({}), seen.resolve);
  server.event("STOP", { why: "test" });
  assert.deepEqual(await seen.promise, { name: "STOP", data: { why: "test" } });
  qmp.close();
});

test("what does not speak QMP is dropped, not believed", async () => {
  for (const nonsense of ["{{{\n", "a".repeat(2 << 20), '[]\n[1]\n"x"\nnull\n5\n{\n']) {
    const qmp = await connect(() => ({}));
    server.send(nonsense);
    await qmp.closed;
    await server.close();
  }
});

test("answers that nobody asked for are ignored", async () => {
  const heard = Promise.withResolvers<QmpEvent>();
  const qmp = await connect((command) => command, heard.resolve);
  server.send('{"return":1,"id":77}\n{"return":2}\n{"error":{"desc":5}}\n{"id":"1"}\n');
  server.event("STOP");
  await heard.promise;
  assert.equal(await qmp.execute("real"), "real");
  qmp.close();
});

test("an abort ends a connection that is being made", async () => {
  const path = join(directory, "qmp");
  server = await ScriptedQmp.listen(path, () => ({}));
  const reason = new Error("enough");
  await assert.rejects(
    connectQmp(path, clock, () => {}, AbortSignal.abort(reason)),
    reason,
  );
});
