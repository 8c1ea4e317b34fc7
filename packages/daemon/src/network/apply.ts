/** Carries out plans. With `forget.ts` the room's only file that changes the host. */
import type { Log } from "../base/log.ts";
import { readNetSetting, writeNetSetting } from "../host/device-settings.ts";
import { changeLinks } from "../host/link-commands.ts";
import { nftScript } from "../host/network-commands.ts";
import { type Actual, settingPath, settingsWantedOf } from "./actual.ts";
import type { Names } from "./names.ts";
import { type Plan, poolRoute } from "./plan.ts";
import type { Table } from "./ruleset.ts";

/**
 * Devices and rules side by side: neither is of use without the other, so their order does not matter, and a failure of
 * one leaves nothing that lets a packet through. `force` does what can be done before it reports a failure.
 */
export async function applyPlan(names: Names, plan: Plan, options: { force?: boolean } = {}): Promise<void> {
  const results = await Promise.allSettled([
    changeLinks([...removeDevices(names, plan.remove), ...plan.ip], options),
    nftScript(plan.nft.length === 0 ? "" : `${plan.nft.join("\n")}\n`),
  ]);
  const tuned = await Promise.allSettled(plan.tune.map((device) => tune(names, device)));
  const failure = [...results, ...tuned].find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}

/** Instances are reached by routing. It stays on afterwards: others on the host may rely on it by then. */
export async function turnForwardingOn(log: Log): Promise<void> {
  const setting = "ipv4/ip_forward";
  if ((await readNetSetting(setting)) === "1") return;
  await writeNetSetting(setting, "1");
  log.info({ setting: "net.ipv4.ip_forward" }, "turned on IPv4 forwarding on this host");
}

export async function removeAll(names: Names, tables: readonly Table[], actual: Actual): Promise<void> {
  const plan: Plan = {
    remove: [...actual.devices.keys(), ...(actual.waker === undefined ? [] : [names.waker])],
    ip: actual.hasPoolRoute ? [`route delete ${poolRoute(names)}`] : [],
    // Naming a table first lets its deletion succeed if it is gone.
    nft: tables.flatMap(({ family, name }) => [
      `table ${family} ${name} {}`,
      `delete table ${family} ${name}`,
    ]),
    tune: [],
    forget: [],
    differences: [],
  };
  await applyPlan(names, plan, { force: true });
}

/**
 * The kernel waits for all its processors when a device goes, some 20 ms for each; deleted as a group they wait once. The
 * group is this daemon's; should another's id make the same number, its members were to be deleted as well.
 */
function removeDevices({ daemonId }: Names, devices: readonly string[]): readonly string[] {
  if (devices.length < 2) return devices.map((device) => `link delete dev ${device}`);
  const doomed = 2 ** 30 + (Number.parseInt(daemonId, 36) % 2 ** 30);
  return [
    ...devices.map((device) => `link set dev ${device} group ${doomed}`),
    `link delete group ${doomed}`,
  ];
}

async function tune(names: Names, device: string): Promise<void> {
  for (const [setting, value] of Object.entries(settingsWantedOf(names, device))) {
    try {
      await writeNetSetting(settingPath(setting, device), value);
    } catch (error) {
      // The kernel may be without IPv6.
      if (setting.startsWith("ipv6/") && (error as NodeJS.ErrnoException).code === "ENOENT") continue;
      throw error;
    }
  }
}
