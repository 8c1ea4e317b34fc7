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

test("a question without answer ends at its deadline", async () => {
  const qmp = await connect(() => undefined);
  await assert.rejects(qmp.execute("wait", {}, 10), /no answer in 10 ms/);
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
  const qmp = await connect((command) => command);
  server.send('{"return":1,"id":77}\n{"return":2}\n{"error":{"desc":5}}\n{"id":"1"}\n');
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
