/** All that is peculiar to x86-64: QEMU's microvm machine, its processor models and what the kernel has to be told. */
import { join } from "node:path";
import { readTextIfExists } from "../../host/files.ts";
import { runOk } from "../../host/process.ts";
import type { QemuArchitecture } from "./architecture.ts";

export const x86Sixtyfour: QemuArchitecture = {
  program: "qemu-system-x86_64",
  package: "qemu-system-x86",

  // ACPI with the second I/O APIC gives 24 virtio-mmio slots and lets Debian's kernel, which has no
  // VIRTIO_MMIO_CMDLINE_DEVICES, find them. The PIT and PIC stay: under TCG a guest has no other timer and hangs.
  machine: ["microvm", "acpi=on", "ioapic2=on", "pcie=off", "usb=off"],
  cpu: { kvm: "host", tcg: "max" },

  async kernelArguments(accelerator, host) {
    // The agent looks for the disks that it is told of; a kernel that does so itself looks for many that are not there.
    const common = ["console=ttyS0", "panic=-1", "reboot=t", "scsi_mod.scan=manual"];
    if (accelerator === "kvm") return common;
    const khz = await tscKhz(host);
    // The guest's time-stamp counter is the host's. On a busy host the kernel fails to measure it against the PIT and
    // hangs; what it is told here it believes for ever, so it must be exact. For the same reason no_timer_check. Without
    // tsc=reliable its watchdog compares the counter with ticks that a busy host loses, falls back to counting ticks,
    // and then an idle guest wakes 250 times a second and its clock drifts.
    return [
      ...common,
      "no_timer_check",
      "tsc=reliable",
      ...(khz === undefined ? [] : [`tsc_early_khz=${khz}`]),
    ];
  },

  async hostCpu() {
    const cpuinfo = (await readTextIfExists("/proc/cpuinfo")) ?? "";
    const first = cpuinfo.split("\n\n")[0] ?? "";
    return first
      .split("\n")
      .filter((line) => /^(vendor_id|cpu family|model|stepping|flags)\s*:/.test(line))
      .join("\n");
  },
};

async function tscKhz({ nativeDirectory, remember }: Parameters<QemuArchitecture["kernelArguments"]>[1]) {
  const { stdout } = await runOk(join(nativeDirectory, "tsc-khz"), [], { timeoutMs: 10_000 });
  const measured = Number(stdout.toString());
  return Number.isSafeInteger(measured) && measured > 0 ? remember("tsc-khz", measured) : undefined;
}
