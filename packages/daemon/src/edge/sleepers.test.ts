/** Members that fall asleep or wake while requests are on their way to them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";
import { edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile } from "../../../../test/kit/edge-backends.ts";
import { edgeClient, startLoad } from "../../../../test/kit/load.ts";
import { until } from "../../../../test/kit/until.ts";
import type { EdgeMember } from "./port.ts";

const address = "127.1.0.1";
/** What is sent there is lost. */
const mute = "127.1.0.7";

const { kit, edge } = await edgeForFile();
await backendForFile("one", address);

before(() => {
  const input = "add chain ip lost input { type filter hook input priority 0; }";
  const rule = `add rule ip lost input ip daddr ${mute} counter drop`;
  execFileSync("nft", [`add table ip lost; ${input}; ${rule}`]);
});

const apply = (member: string, state: EdgeMember["state"]) =>
  edge.apply(kit.planOf(kit.group("a", { [member]: state }, { softLimit: 50 })));

test("whoever is led to a sleeper that has just woken is answered", async () => {
  await apply(address, "asleep");
  const ca = readFileSync(kit.rootFile, "utf8");
  const clients = Array.from({ length: 8 }, (_, index) =>
    edgeClient(`${index}`, "a.example.com", ca, index % 2 === 0),
  );
  const load = startLoad(clients, { gapMs: 0, random: () => 0, check: () => {} });
  for (let turn = 0; turn < 15; turn++) {
    for (const state of ["asleep", "awake"] as const) {
      const answered = load.answered() + load.failures.length;
      await apply(address, state);
      await until("others are asked for", () => load.answered() + load.failures.length > answered + 8);
    }
  }
  await load.stop();
  assert.deepEqual(load.failures, []);
});

const lost = (): number =>
  Number(
    /packets (\d+)/.exec(execFileSync("nft", ["list", "table", "ip", "lost"], { encoding: "utf8" }))?.[1],
  );

test("a member that falls asleep before it could be reached, and does not wake, is told as a failed wake", async () => {
  await apply(mute, "awake");
  const before = lost();
  // Over HTTP/2 HAProxy lets the client ask again, which is then led to those who sleep.
  const ask = (...options: readonly string[]) => kit.curl("https://a.example.com/", "--http1.1", ...options);
  const page = ask();
  const json = ask("-H", "Accept: application/json");
  await until("both are on their way to it", () => lost() >= before + 2);
  await apply(mute, "asleep");
  assert.equal((await page).status, 504);
  assert.match((await page).body, /Wake-up failed/);
  assert.equal(JSON.parse((await json).body).errors[0].status, 504);
});
