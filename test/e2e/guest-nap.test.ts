/** What programs and their host see of a nap, in memory and on disk: clocks, output, sessions. */
import { enterOwnNamespaces } from "../kit/own-namespaces.ts";

enterOwnNamespaces();

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { systemClock } from "../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../packages/daemon/src/base/log.ts";
import { createGuestConnector } from "../../packages/daemon/src/guest/connector.ts";
import type { GuestChannel } from "../../packages/daemon/src/guest/port.ts";
import { qemuMachines } from "../kit/qemu-machines.ts";
import { collect, configOf, exec, fails } from "../kit/test-agent.ts";
import { until } from "../kit/until.ts";

const daysMs = 10 * 86_400_000;
const signal = AbortSignal.timeout(180_000);
const machines = await qemuMachines();
const vmm = await machines.newVmm();
const spec = await machines.newSpec();
/** The host's clock goes on for days while no guest runs. */
let ahead = 0;
const clock = { ...systemClock, now: () => systemClock.now() + ahead };
const connector = createGuestConnector({ clock, log: silentLog });
const connect = (socket: string, logOffset: number) => connector.connect(socket, { logOffset, signal });

let machine = await vmm.start(spec, signal);
let channel = await connect(machine.agentSocket, 0);
const seen = collect(channel);
after(async () => {
  await channel.close();
  await machine.kill();
  await machines.close();
});

const counting = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done";
const numbersOf = (output: string) => output.split("\n").slice(0, -1).map(Number);
const inOrder = (numbers: readonly number[]) => numbers.every((number, index) => number === index + 1);

async function clocks(of: GuestChannel): Promise<{ wallS: number; uptimeS: number }> {
  const { stdout } = await exec(of, ["sh", "-c", "date +%s; cat /proc/uptime"]);
  const [wall, uptime] = stdout.split("\n");
  return { wallS: Number(wall), uptimeS: Number.parseFloat(uptime ?? "") };
}

const random = async (of: GuestChannel) => (await exec(of, ["cat", "/proc/sys/kernel/random/uuid"])).stdout;

test("a nap in memory: the session goes on, the wall clock is right, the monotonic one stood still", async () => {
  await channel.configure(configOf(["sh", "-c", counting]));
  const session = await channel.exec({ argv: ["cat"], env: {} });
  await until("the program counts", () => numbersOf(seen.output("stdout")).length > 3);
  const before = await clocks(channel);
  await machine.pause();
  ahead += daysMs;
  await machine.resume();
  await channel.refresh([]);
  const later = await clocks(channel);
  assert.ok(later.wallS - before.wallS >= daysMs / 1000, `${before.wallS} then ${later.wallS}`);
  assert.ok(later.uptimeS - before.uptimeS < 3600, `${before.uptimeS} then ${later.uptimeS}`);
  session.io.end("still here");
  assert.equal(await session.exitCode, 0);
  const count = numbersOf(seen.output("stdout")).length;
  await until("the program goes on", () => numbersOf(seen.output("stdout")).length > count);
  assert.ok(inOrder(numbersOf(seen.output("stdout"))));
});

test("a nap on disk: output goes on where it was, a session ends, the counter is kept, twins draw apart", async () => {
  const counter = "/uk/libukp/scale_to_zero_disable";
  await exec(channel, ["sh", "-c", `echo =7 >${counter}`]);
  const session = await channel.exec({ argv: ["sleep", "1234"], env: {} });
  const before = await clocks(channel);
  await machine.pause();
  await channel.close();
  await assert.rejects(session.exitCode, fails(/channel was closed/));
  const directory = `${spec.directory}-sleep`;
  await machine.suspend(directory, signal);
  await machine.kill();
  const offset = Buffer.byteLength(seen.output("stdout"));

  const drawn: string[] = [];
  for (const twin of ["first", "second"]) {
    ahead += daysMs;
    machine = await vmm.resume(spec, directory, signal);
    await machine.resume();
    channel = await connect(machine.agentSocket, offset);
    const rest = collect(channel);
    await channel.refresh([]);
    const later = await clocks(channel);
    assert.ok(later.wallS - before.wallS >= daysMs / 1000, twin);
    assert.ok(later.uptimeS - before.uptimeS < 3600, twin);
    drawn.push(await random(channel));
    await until("the program goes on", () => numbersOf(rest.output("stdout")).length > 3);
    assert.ok(inOrder(numbersOf(seen.output("stdout") + rest.output("stdout"))), twin);
    assert.equal((await channel.stats()).inhibitors, 7);
    await until("the session's process is gone", async () => {
      const { stdout } = await exec(channel, ["ps"]);
      return !stdout.includes("sleep 1234");
    });
    if (twin === "first") {
      await channel.close();
      await machine.kill();
    }
  }
  assert.notEqual(drawn[0], drawn[1]);
});
