/** What responses say of a wake that they waited for, with servers that wait to be told in the place of sleepers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";
import { edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile, backendPort } from "../../../../test/kit/edge-backends.ts";
import { until } from "../../../../test/kit/until.ts";
import { systemClock } from "../base/clock.ts";
import type { EdgeMember } from "./port.ts";
import { askHaproxy } from "./runtime-socket.ts";

const address = "127.1.0.1";
const member = address.replaceAll(".", "-");

const { kit, edge } = await edgeForFile();
const backend = await backendForFile("one", address);
/** One connection to the edge: what HAProxy has open to a member, it uses again. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

after(() => agent.destroy());

const apply = (state: EdgeMember["state"]) =>
  edge.apply(
    kit.planOf(
      kit.group(
        "a",
        { [address]: state },
        {
          ports: [{ kind: "http", port: 80, destinationPort: backendPort, tls: false, proxy: false }],
          softLimit: 10,
        },
      ),
    ),
  );

/** The response's own word about time. */
async function timingOf(path: string): Promise<string | undefined> {
  const asked = request({ host: "127.0.0.1", port: 80, path, agent, headers: { host: "a.example.com" } });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  return response.headers["server-timing"] as string | undefined;
}

async function timingOfHeld(): Promise<string | undefined> {
  const before = backend.requests();
  const timing = timingOf("/held");
  await until("the request is with the member", () => backend.requests() > before);
  await edge.noteWake(member);
  backend.answerHeld();
  return timing;
}

for (const state of ["asleep", "awake"] as const) {
  test(`to a member that was thought ${state}, what a wake held says so, and nothing before or after it`, async () => {
    await apply(state);
    assert.equal(await timingOf("/"), undefined);
    // By a connection that was there before.
    assert.match((await timingOfHeld()) ?? "", /^wake;dur=\d+$/);
    assert.equal(await timingOf("/"), undefined);
  });
}

test("the application's own times are kept", async () => {
  await apply("asleep");
  assert.equal(await timingOf("/timed"), "db;dur=3");
  const before = backend.requests();
  const timing = timingOf("/held-timed");
  await until("the request is with the member", () => backend.requests() > before);
  await edge.noteWake(member);
  backend.answerHeld();
  assert.match((await timing) ?? "", /^db;dur=3, wake;dur=\d+$/);
});

test("a group's mark lasts while a wake may hold somebody up, and then goes", async () => {
  await apply("awake");
  const ask = (command: string) => askHaproxy(join(kit.directory, "h", "stats"), command, systemClock);
  const mark = async () => /gpt0=(\d+)/.exec(await ask("show table groups key a"))?.[1];
  await edge.noteWake(member);
  await timingOf("/");
  assert.notEqual(await mark(), "0");
  await ask(`set table groups key a data.gpt0 ${Math.floor(Date.now() / 1000) - 700}`);
  assert.equal(await timingOf("/"), undefined);
  assert.equal(await mark(), "0");
});

test("a member that is not known, and an edge that does not run, are no reason to fail", async () => {
  await edge.noteWake("nobody");
  await edge.apply(kit.planOf());
  await edge.noteWake(member);
});
