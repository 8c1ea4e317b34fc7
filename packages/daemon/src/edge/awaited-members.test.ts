/** Groups whose first member comes when somebody asks for one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile, backendPort } from "../../../../test/kit/edge-backends.ts";
import { until } from "../../../../test/kit/until.ts";
import type { EdgeMember } from "./port.ts";

const one = "127.1.0.1";
/** Nothing listens there: who is led to it is tried again elsewhere. */
const two = "127.1.0.2";
const { kit, edge } = await edgeForFile();
await backendForFile("one", one);

const apply = (members: Readonly<Record<string, EdgeMember["state"]>>, hardLimit = 100) =>
  edge.apply(kit.planOf(kit.group("a", members, { awaitsMembers: true, hardLimit })));
const waiting = async () => (await edge.loads(["a"])).get("a")?.inFlight;

for (const [how, states] of [
  ["starts and is awake", ["starting", "awake"]],
  ["is awake at once", ["awake"]],
  ["starts only", ["starting"]],
  ["is awake with another one", ["starting", "awake", "both"]],
] as const) {
  test(`requests wait for a group's first member, are counted, and reach it: it ${how}`, async () => {
    await apply({});
    assert.equal(await waiting(), 0);
    const asked = [1, 2].map(() => kit.curl("https://a.example.com/"));
    await until("both wait", async () => (await waiting()) === 2);
    for (const state of states) {
      await apply(state === "both" ? { [one]: "awake", [two]: "awake" } : { [one]: state });
    }
    for (const { status, body } of await Promise.all(asked)) {
      assert.equal(status, 200, body);
      assert.equal(JSON.parse(body).name, "one");
    }
    assert.equal(await waiting(), undefined);
    assert.equal((await kit.curl("https://a.example.com/")).status, 200);
  });
}

test("one that is draining is no member to wait for, and the hard limit holds for who waits", async () => {
  await apply({ [one]: "draining" }, 1);
  assert.equal(await waiting(), 0);
  const first = kit.curl("https://a.example.com/");
  await until("it waits", async () => (await waiting()) === 1);
  assert.equal((await kit.curl("https://a.example.com/")).status, 503);
  await apply({ [one]: "awake" }, 1);
  assert.equal((await first).status, 200);
});

test("connections of raw ports wait too", async () => {
  const ports = [{ kind: "tcp", port: 443, destinationPort: backendPort, tls: true, proxy: false }] as const;
  const group = (members: Readonly<Record<string, EdgeMember["state"]>>) =>
    kit.planOf(kit.group("a", members, { awaitsMembers: true, ports }));
  await edge.apply(group({}));
  const asked = kit.curl("https://a.example.com/", "--http1.1");
  await until("it waits", async () => (await waiting()) === 1);
  await edge.apply(group({ [one]: "awake" }));
  assert.equal((await asked).status, 200);
});
