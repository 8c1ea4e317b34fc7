import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../base/log.ts";
import type { Owners } from "../instances/owners.ts";
import type { InstanceRecord, InstanceStatus } from "../instances/record.ts";
import { recordOf, withRegistry } from "../instances/test-records.ts";
import type { Network, WakeHandler } from "../network/port.ts";
import { limits } from "./simulated-node.ts";
import { wakeOnPacket } from "./wake-on-packet.ts";

const asleep: Partial<InstanceStatus> = {
  state: "standby",
  intent: "sleep",
  sleep: { tier: "disk", since: 1 },
};

/** Who was woken by packets to `addresses`, and what was said in warning. */
async function woken(
  records: readonly InstanceRecord[],
  addresses: readonly string[],
  more: { readonly liveVcpus?: number; readonly fails?: boolean } = {},
) {
  const names: string[] = [];
  const warnings: unknown[] = [];
  let handler: WakeHandler | undefined;
  await withRegistry(records, async (registry) => {
    const end = wakeOnPacket({
      registry,
      owners: {
        of: (id: string) => ({
          wake: async () => {
            names.push(records.find((record) => record.id === id)?.name ?? "");
            if (more.fails === true) throw new Error("no memory");
          },
        }),
      } as unknown as Owners,
      network: {
        onWake: (given: WakeHandler) => {
          handler = given;
          return () => {
            handler = undefined;
          };
        },
      } as unknown as Network,
      limits: { ...limits, liveVcpus: more.liveVcpus ?? limits.liveVcpus },
      log: { ...silentLog, warn: (fields) => warnings.push(fields) },
    });
    for (const address of addresses) handler?.(address, { kind: "tcp", source: "192.0.2.1" });
    await new Promise((resolve) => setImmediate(resolve));
    end();
    assert.equal(handler, undefined);
  });
  return { names, warnings: warnings.length };
}

test("a packet wakes the sleeper at its address, and nobody else", async () => {
  const [one, two] = [
    recordOf(1, { name: "one", status: asleep }),
    recordOf(2, { name: "two", status: asleep }),
  ];
  assert.deepEqual(await woken([one, two], [two.address, "10.9.9.9"]), { names: ["two"], warnings: 0 });
});

test("one that falls asleep is turned back, one that wakes or is stopped is left alone", async () => {
  const status = (state: InstanceStatus["state"], intent: InstanceStatus["intent"]) => ({ state, intent });
  const records = [
    recordOf(1, { name: "falling", status: status("stopping", "sleep") }),
    recordOf(2, { name: "waking", status: { ...asleep, state: "starting", intent: "run" } }),
    recordOf(3, { name: "stopping", status: { ...asleep, intent: "stop" } }),
    recordOf(4, { name: "running", status: status("running", "run") }),
  ];
  const addresses = records.map(({ address }) => address);
  assert.deepEqual((await woken(records, addresses)).names, ["falling"]);
});

test("a sleeper that its account may not have live sleeps on; one on its way into sleep is live already", async () => {
  const running = recordOf(1, { status: { state: "running", intent: "run" } });
  const sleeper = recordOf(2, { name: "sleeper", status: asleep });
  const falling = recordOf(3, { name: "falling", status: { state: "stopping", intent: "sleep" } });
  const addresses = [sleeper.address, falling.address];
  const { names, warnings } = await woken([running, sleeper, falling], addresses, { liveVcpus: 2 });
  assert.deepEqual([names, warnings], [["falling"], 1]);
});

test("a wake that fails is said", async () => {
  const sleeper = recordOf(1, { name: "sleeper", status: asleep });
  assert.deepEqual(await woken([sleeper], [sleeper.address], { fails: true }), {
    names: ["sleeper"],
    warnings: 1,
  });
});
