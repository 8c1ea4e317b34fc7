/** The files of /uk/libukp in real machines, whose image knows nothing of them. */
import { enterOwnNamespaces } from "../kit/own-namespaces.ts";

enterOwnNamespaces();

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { after, test } from "node:test";
import { systemClock } from "../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../packages/daemon/src/base/log.ts";
import { createGuestConnector } from "../../packages/daemon/src/guest/connector.ts";
import { qemuMachines } from "../kit/qemu-machines.ts";
import { collect, configOf, exec } from "../kit/test-agent.ts";
import { until } from "../kit/until.ts";

const counter = "/uk/libukp/scale_to_zero_disable";
const signal = AbortSignal.timeout(120_000);
const machines = await qemuMachines();
const vmm = await machines.newVmm();
const spec = await machines.newSpec();
const machine = await vmm.start(spec, signal);
const connector = createGuestConnector({ clock: systemClock, log: silentLog });
const channel = await connector.connect(machine.agentSocket, { logOffset: 0, signal });
const seen = collect(channel);
after(async () => {
  await channel.close();
  await machine.kill();
  await machines.close();
});

test("the program's first instruction may be to inhibit, and the host hears of it", async () => {
  const script = `cat ${counter}; echo +2 >${counter}; cat ${counter}; echo; read -r line </uk/libukp/notify; echo $line`;
  await channel.configure(configOf(["sh", "-c", `${script}; sleep 1000`]));
  await until("the program has inhibited", () => seen.output("stdout") === "=0=2\n");
  assert.equal((await seen.wait("inhibited")).count, 2);
  assert.equal((await channel.stats()).inhibitors, 2);
});

test("a notice reaches the program that waits for it", async () => {
  const listening = "for p in /proc/[0-9]*; do readlink $p/fd/0; done";
  await until("the program listens", async () =>
    (await exec(channel, ["sh", "-c", listening])).stdout.includes("/uk/libukp/notify"),
  );
  await channel.notify("scaletozero");
  await until("it heard", () => seen.output("stdout") === "=0=2\nscaletozero\n");
});

test("errors are those that the file is documented with", async () => {
  const complaint = async (line: string) => (await exec(channel, ["sh", "-c", line])).stderr;
  assert.match(await complaint(`echo more >${counter}`), /Invalid argument/);
  assert.match(await complaint(`echo -3 >${counter}`), /out of range/);
  assert.match(await complaint(`echo =18446744073709551616 >${counter}`), /out of range/);
  assert.equal((await exec(channel, ["cat", counter])).stdout, "=2");
});

test("the counter counts when the root is read-only", async () => {
  const lines = `mount -o remount,ro / && ! touch /x 2>/dev/null && echo - >${counter} && cat ${counter}`;
  assert.deepEqual(await exec(channel, ["sh", "-c", lines]), { stdout: "=1", stderr: "", code: 0 });
});

test("connections with the outside are counted while they are established, and those inside are not", async () => {
  const { address, gateway } = configOf([]).network;
  const { tap } = spec.network;
  execFileSync("ip", ["address", "add", `${gateway}/32`, "dev", tap]);
  execFileSync("ip", ["route", "add", address, "dev", tap]);
  const server = "httpd -p 8080 -h /; nc 127.0.0.1 8080 </uk/libukp/notify & echo up; wait";
  const inner = await channel.exec({ argv: ["sh", "-c", server], env: {} });
  await once(inner.io, "data");
  assert.equal((await channel.stats()).connections, 0);
  const outer = connect({ host: address, port: 8080 });
  await once(outer, "connect");
  await until("it is counted", async () => (await channel.stats()).connections === 1);
  outer.destroy();
  await until("it is not counted any more", async () => (await channel.stats()).connections === 0);
  await inner.close();
});
