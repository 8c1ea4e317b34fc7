/** What members have to do, as the real HAProxy counts it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile, backendPort } from "../../../../test/kit/edge-backends.ts";
import { until } from "../../../../test/kit/until.ts";
import { systemClock } from "../base/clock.ts";
import { readServers } from "./loads.ts";
import { askHaproxy } from "./runtime-socket.ts";

const one = "127.1.0.1";
const two = "127.1.0.2";

const { kit, edge } = await edgeForFile();
const backends = [await backendForFile("one", one), await backendForFile("two", two)];

const ports = [
  { kind: "http", port: 443, destinationPort: backendPort, tls: true, proxy: false },
  { kind: "http", port: 80, destinationPort: backendPort, tls: false, proxy: false },
] as const;

async function sums(): Promise<{ inFlight: number; served: number; members: number }> {
  const loads = [...(await edge.loads(["a"])).values()];
  const sum = (pick: (load: { inFlight: number; served: number }) => number) =>
    loads.reduce((total, load) => total + pick(load), 0);
  return {
    inFlight: sum(({ inFlight }) => inFlight),
    served: sum(({ served }) => served),
    members: loads.length,
  };
}

test("requests in flight and served are counted by member, over all ports", async () => {
  assert.equal((await edge.loads(["a"])).size, 0);
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake", [two]: "awake" }, { ports })));
  assert.deepEqual(await sums(), { inFlight: 0, served: 0, members: 2 });
  const held = [kit.curl("https://a.example.com/held"), kit.curl("http://a.example.com/held")];
  await until("both are in flight", async () => (await sums()).inFlight === 2);
  // In flight is also what has not reached a member yet.
  let answered = false;
  const over = Promise.all(held).then(() => {
    answered = true;
  });
  await until("they are answered", () => {
    for (const backend of backends) backend.answerHeld();
    return answered;
  });
  await over;
  await until("none is", async () => (await sums()).inFlight === 0);
  for (let count = 0; count < 5; count += 1) await kit.curl("https://a.example.com/");
  assert.deepEqual(await sums(), { inFlight: 0, served: 7, members: 2 });
});

test("a single member's twin counts for it, and other groups do not", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake" }, { ports })));
  const before = (await sums()).served;
  for (let count = 0; count < 4; count += 1) await kit.curl("https://a.example.com/");
  assert.ok((await sums()).served >= before + 4);
  assert.equal((await edge.loads(["b"])).size, 0);
});

/** Requests that each server got so far, over all backends. */
async function servedBy(...servers: readonly string[]): Promise<number[]> {
  const rows = readServers(
    await askHaproxy(join(kit.directory, "h", "stats"), "show stat -1 4 -1", systemClock),
  );
  return servers.map((name) => (rows.get(name) ?? []).reduce((sum, { served }) => sum + served, 0));
}

test("the only member that is awake gets its requests in its own place, whichever it is, and two share them", async () => {
  await edge.apply(kit.planOf(kit.group("a", { [one]: "awake", [two]: "awake" }, { ports })));
  const apart = [kit.curl("https://a.example.com/held"), kit.curl("https://a.example.com/held")];
  await until("each has one", () => backends.every((backend) => backend.isHolding()));
  for (const backend of backends) backend.answerHeld();
  await Promise.all(apart);
  for (const states of [
    { [one]: "awake", [two]: "draining" },
    { [one]: "draining", [two]: "awake" },
  ] as const) {
    await edge.apply(kit.planOf(kit.group("a", states, { ports })));
    const places = ["a.s1", "a.s2", "a.twin"];
    const before = await servedBy(...places);
    await Promise.all(Array.from({ length: 6 }, () => kit.curl("https://a.example.com/")));
    const more = (await servedBy(...places)).map((served, at) => served - (before[at] ?? 0));
    assert.deepEqual(more, states[one] === "awake" ? [6, 0, 0] : [0, 6, 0]);
  }
});

test("answers that are no table give no counts", () => {
  for (const text of ["", "\n", "Unknown command\n", "# svname,scur,stot\nx,y,z\n"]) {
    assert.equal(readServers(text).size, 0, text);
  }
});
