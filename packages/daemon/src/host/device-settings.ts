/** Kernel settings and counters of network devices, under /proc/sys/net and /sys/class/net. */
import { readFile, writeFile } from "node:fs/promises";
import { readTextIfExists } from "./files.ts";

/** The value, or undefined where the kernel has no such setting (IPv6 compiled out, device gone). */
export async function readNetSetting(name: string): Promise<string | undefined> {
  return (await readTextIfExists(`/proc/sys/net/${name}`))?.trim();
}

export const writeNetSetting = (name: string, value: string): Promise<void> =>
  writeFile(`/proc/sys/net/${name}`, value);

export interface DeviceCounters {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly txBytes: number;
  readonly txPackets: number;
}

/** As the host sees it; undefined when the device is gone. */
export async function readDeviceCounters(device: string): Promise<DeviceCounters | undefined> {
  const read = async (name: string) =>
    Number(await readFile(`/sys/class/net/${device}/statistics/${name}`, "utf8"));
  try {
    const [rxBytes, rxPackets, txBytes, txPackets] = await Promise.all([
      read("rx_bytes"),
      read("rx_packets"),
      read("tx_bytes"),
      read("tx_packets"),
    ]);
    return { rxBytes, rxPackets, txBytes, txPackets };
  } catch (error) {
    // ENODEV and EINVAL: the device went away between opening and reading.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENODEV" || code === "EINVAL") return undefined;
    throw error;
  }
}
