import assert from "node:assert/strict";
import { test } from "node:test";
import type { DaemonEvent } from "@uni/contract/rpc";
import { ManualClock } from "../base/manual-clock.ts";
import { eventsOf, followEvents } from "./event-hub.ts";
import { account, idOf, otherAccount, recordOf, withRegistry } from "./test-records.ts";

const clock = new ManualClock();
const before = recordOf(1, { status: { state: "running" } });
const typesOf = (after = before, earlier: typeof before | undefined = before) =>
  eventsOf(after, earlier, "now").map((event) => event.type);

test("a change is what a listener can see of it", () => {
  assert.deepEqual(eventsOf(undefined, undefined, "now"), []);
  assert.deepEqual(typesOf(), []);
  assert.deepEqual(
    eventsOf(undefined, before, "now").map(({ type }) => type),
    ["deleted"],
  );
  assert.deepEqual(
    eventsOf(before, undefined, "now").map(({ type }) => type),
    ["created"],
  );
  assert.deepEqual(typesOf(recordOf(1, { status: { state: "running", bootTimeUs: 5 } })), []);
  assert.deepEqual(typesOf(recordOf(1, { status: { state: "running" }, spec: { tags: ["a"] } })), [
    "updated",
  ]);
  const stopped = recordOf(1, { status: { state: "stopped", exitCode: 3, exitReason: "it ended" } });
  assert.deepEqual(eventsOf(stopped, before, "now"), [
    {
      time: "now",
      id: idOf(1),
      name: "web-1",
      type: "state",
      state: "stopped",
      previous_state: "running",
      message: "it ended",
    },
    { time: "now", id: idOf(1), name: "web-1", type: "exited", exit_code: 3 },
  ]);
});

test("a listener hears its account's events in order, and nothing after it has left", async () => {
  await withRegistry([recordOf(1), recordOf(2, { account: otherAccount })], async (registry) => {
    const controller = new AbortController();
    const events = followEvents(registry, account, clock, controller.signal);
    const first = events.next();
    await registry.change(idOf(2), { status: { state: "running" } });
    await registry.change(idOf(1), { status: { state: "starting" } });
    await registry.change(idOf(1), { status: { state: "running" } });
    const heard = [(await first).value, (await events.next()).value] as DaemonEvent[];
    assert.deepEqual(
      heard.map((event) => [event.id, event.state]),
      [
        [idOf(1), "starting"],
        [idOf(1), "running"],
      ],
    );
    const next = events.next();
    controller.abort();
    assert.equal((await next).done, true);
  });
});

test("a listener that is too slow gets a gap where it missed something", async () => {
  await withRegistry([recordOf(1)], async (registry) => {
    const controller = new AbortController();
    const events = followEvents(registry, account, clock, controller.signal);
    const first = events.next();
    const flip = async (from: number, count: number) => {
      for (let i = from; i < from + count; i++)
        await registry.change(idOf(1), { spec: { hostname: `h${i}` } });
    };
    await flip(0, 1);
    assert.equal(((await first).value as DaemonEvent).type, "updated");
    // It holds the first event; a thousand more wait for it, and seven are too many.
    await flip(1, 1007);
    const heard: DaemonEvent[] = [];
    while (heard.at(-1)?.type !== "gap") heard.push((await events.next()).value as DaemonEvent);
    assert.equal(heard.length, 1001);
    assert.equal(heard.at(-1)?.dropped, 7);
    const behind = events.next();
    await flip(2000, 1);
    assert.equal(((await behind).value as DaemonEvent).type, "updated");
    controller.abort();
    assert.equal((await events.next()).done, true);
  });
});
