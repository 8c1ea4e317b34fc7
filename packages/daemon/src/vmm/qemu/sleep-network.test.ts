/** A nap on disk seen from the other end of the wire. */
import { enterOwnNamespaces } from "../../../../../test/kit/own-namespaces.ts";

enterOwnNamespaces();

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createConnection } from "node:net";
import { after, test } from "node:test";
import { qemuMachines } from "../../../../../test/kit/qemu-machines.ts";
import { until } from "../../../../../test/kit/until.ts";

const never = new AbortController().signal;
const guest = "10.0.0.2";
const md5 = (bytes: Buffer) => createHash("md5").update(bytes).digest("hex");

const undo: (() => Promise<void>)[] = [];
after(async () => {
  for (const step of undo.reverse()) await step();
});

test("an open connection outlives the process of its machine, and full-sized packets pass both ways", async () => {
  const machines = await qemuMachines();
  undo.push(() => machines.close());
  const vmm = await machines.newVmm();
  const spec = await machines.newSpec();
  const sleep = `${spec.directory}-sleep`;
  const machine = await vmm.start(spec, never);
  undo.push(() => machine.kill());
  const { tap } = spec.network;
  execFileSync("ip", ["address", "add", "169.254.1.1/32", "dev", tap]);
  execFileSync("ip", ["route", "add", guest, "dev", tap, "src", "169.254.1.1"]);
  await machines.remember(machine, "");
  const serve = "(nc -l -p 7 >/mem/got; touch /mem/over) >/dev/null 2>&1 </dev/null &";
  await machines.shell(machine, `${serve} (nc -l -p 8 </mem/blob) >/dev/null 2>&1 & true`);
  const upload = await until("the guest listens", async () => {
    const socket = createConnection({ host: guest, port: 7, allowHalfOpen: true });
    return once(socket, "connect").then(
      () => socket,
      () => undefined,
    );
  });
  upload.write("before");
  await until("it arrives", async () => (await machines.shell(machine, "cat /mem/got")) === "before");

  await machines.hangUp(machine);
  await machine.pause();
  await machine.suspend(sleep, never);
  await machine.kill();
  const woken = await vmm.resume(spec, sleep, never);
  undo.push(() => woken.kill());
  await woken.resume();
  const after = randomBytes(1 << 20);
  upload.end(after);
  await machines.shell(woken, "while [ ! -e /mem/over ]; do usleep 10000; done");
  const got = await machines.shell(woken, "md5sum </mem/got");
  assert.equal(got.slice(0, 32), md5(Buffer.concat([Buffer.from("before"), after])));

  const download = createConnection({ host: guest, port: 8 });
  const blob = Buffer.concat(await download.toArray());
  assert.equal(blob.length, 8 << 20);
  assert.equal((await machines.shell(woken, "cat /mem/sum")).slice(0, 32), md5(blob));
  assert.equal(await machines.shell(woken, "cat /sys/class/net/eth0/address"), `${spec.network.mac}\n`);
});
