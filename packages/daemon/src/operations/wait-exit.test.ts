import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, recordOf, withRegistry } from "../instances/test-records.ts";
import { ExitWatch } from "./wait-exit.ts";

const id = idOf(1);
const never = new AbortController().signal;
const running = recordOf(1, { status: { state: "running", intent: "run" } });

test("waits for the end for good: a restart that is due is none", async () => {
  await withRegistry([running], async (registry) => {
    const waiting = new ExitWatch(registry).wait(id, never);
    await registry.change(id, {
      status: { state: "stopped", exitCode: 1, restart: { attempt: 1, nextAt: 1 } },
    });
    await registry.change(id, { status: { state: "running", restart: null } });
    await registry.change(id, { status: { state: "stopped", exitCode: 2 } });
    assert.equal((await waiting).status.exitCode, 2);
  });
});

test("who asks late, or while the instance deletes itself, hears it too", async () => {
  await withRegistry([running], async (registry) => {
    const exits = new ExitWatch(registry);
    await registry.change(id, {
      status: { state: "stopped", exitCode: 3, restart: { attempt: 1, nextAt: 1 } },
    });
    const waiting = exits.wait(id, never);
    await registry.remove(id, 1);
    assert.equal((await waiting).status.exitCode, 3);
    assert.equal((await exits.wait(id, never)).status.exitCode, 3);
    assert.equal(exits.findGone(id)?.id, id);
    await assert.rejects(exits.wait(idOf(9), never), /No instance/);
  });
});

test("an abort ends the wait, also one that came before", async () => {
  await withRegistry([running], async (registry) => {
    const exits = new ExitWatch(registry);
    const controller = new AbortController();
    const waiting = exits.wait(id, controller.signal);
    controller.abort(new Error("client left"));
    await assert.rejects(waiting, /client left/);
    await assert.rejects(exits.wait(id, controller.signal), /client left/);
  });
});

test("the oldest of those that are gone is forgotten first", async () => {
  const many = Array.from({ length: 1001 }, (_, index) => recordOf(index + 1));
  await withRegistry(many, async (registry) => {
    const exits = new ExitWatch(registry);
    for (const record of many) await registry.remove(record.id, 1);
    assert.equal(exits.findGone(idOf(1)), undefined);
    assert.notEqual(exits.findGone(idOf(2)), undefined);
  });
});
