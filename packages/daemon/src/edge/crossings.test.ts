/** Groups that grow beyond their mark, and which responses tell of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { edgeForFile } from "../../../../test/kit/edge.ts";
import { backendForFile } from "../../../../test/kit/edge-backends.ts";
import { until } from "../../../../test/kit/until.ts";

const one = "127.1.0.1";
const { kit, edge } = await edgeForFile();
const backend = await backendForFile("one", one);

const apply = (tellsGrowth: boolean) =>
  edge.apply(
    kit.planOf(kit.group("a", { [one]: "awake" }, { tellsGrowth }), kit.group("b", { [one]: "awake" })),
  );

/** Of a response to a request that was there when `meanwhile` was done. */
async function headerOf(host: string, meanwhile: () => Promise<void>): Promise<string | undefined> {
  const asked = kit.curl(`https://${host}/held`, "-D", "-");
  await until("it is held", () => backend.isHolding());
  await meanwhile();
  backend.answerHeld();
  const { status, body } = await asked;
  assert.equal(status, 200);
  return /^autoscale-info: (.*)\r$/im.exec(body)?.[1];
}

test("requests that a group had when it grew beyond its mark are answered with what it came to, and no others", async () => {
  await apply(true);
  const grow = (size: number) => () => edge.noteGrowth("a", size, 8);
  assert.equal(await headerOf("a.example.com", grow(7)), "high-watermark-crossed, n-total=7, n-max=8");
  assert.equal(await headerOf("a.example.com", async () => {}), undefined);
  assert.equal(await headerOf("b.example.com", grow(8)), undefined);
  assert.equal(await headerOf("a.example.com", grow(8)), "high-watermark-crossed, n-total=8, n-max=8");
});

test("without a mark nothing is told", async () => {
  await apply(false);
  assert.equal(await headerOf("a.example.com", () => edge.noteGrowth("a", 7, 8)), undefined);
});
