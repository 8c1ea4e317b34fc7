/** What `uni doctor` looks at: each check names what it saw, and what to do when it is not well. */
import { access, constants, statfs } from "node:fs/promises";
import { freemem } from "node:os";
import { delimiter, join } from "node:path";
import { toUniError } from "@uni/contract/errors";
import type { DoctorCheck, DoctorReport } from "@uni/contract/rpc";
import type { Kernels } from "../kernels/kernels.ts";
import { droppingForwardChains } from "../network/foreign-firewalls.ts";
import type { Network } from "../network/port.ts";
import { hostArchitecture } from "../vmm/qemu/architecture.ts";
import type { NodeVmm } from "./node-vmm.ts";

export interface DoctorDependencies {
  readonly nodeVmm: NodeVmm;
  readonly kernels: Kernels;
  readonly network: Pick<Network, "pool">;
  readonly dataDirectory: string;
  readonly cacheDirectory: string;
}

interface Program {
  readonly name: string;
  /** Debian's package that brings it. */
  readonly brings: string;
  readonly needed: boolean;
}

const programs: readonly Program[] = [
  { name: "qemu-img", brings: "qemu-utils", needed: true },
  { name: "mke2fs", brings: "e2fsprogs", needed: true },
  { name: "ip", brings: "iproute2", needed: true },
  { name: "nft", brings: "nftables", needed: true },
  { name: "haproxy", brings: "haproxy", needed: false },
  { name: "setpriv", brings: "util-linux", needed: true },
  { name: "buildah", brings: "buildah", needed: false },
];
const lowDiskBytes = 2 * 2 ** 30;
const lowMemoryBytes = 512 * 2 ** 20;

export async function examine(deps: DoctorDependencies): Promise<DoctorReport> {
  const checks = await Promise.all([
    checkAccelerator(deps.nodeVmm),
    checkKernel(deps.kernels),
    checkDevice("/dev/net/tun"),
    checkEmulator(),
    ...programs.map(checkProgram),
    checkForwarding(deps.network.pool),
    checkSpace("data directory", deps.dataDirectory),
    checkSpace("cache directory", deps.cacheDirectory),
    checkMemory(),
    checkUser(),
  ]);
  return { healthy: checks.every((check) => check.status !== "failed"), checks };
}

async function checkAccelerator(nodeVmm: NodeVmm): Promise<DoctorCheck> {
  const name = "accelerator";
  try {
    const { vmm, reason } = await nodeVmm.ready();
    if (vmm.accelerator === "kvm") return { name, status: "ok", message: `KVM (${reason})` };
    return {
      name,
      status: "warning",
      message: `TCG, software emulation: slow, and no isolation boundary (${reason})`,
      hint: "Use a machine with hardware virtualisation for programs that you do not trust.",
    };
  } catch (thrown) {
    const error = toUniError(thrown, "choose the accelerator");
    return { name, status: "failed", message: error.message, hint: error.hint };
  }
}

async function checkKernel(kernels: Kernels): Promise<DoctorCheck> {
  try {
    const kernel = await kernels.current();
    return { name: "kernel", status: "ok", message: `${kernel.version} (${kernel.flavour})` };
  } catch (thrown) {
    const error = toUniError(thrown, "find a kernel");
    return { name: "kernel", status: "failed", message: error.message, hint: error.hint };
  }
}

async function checkDevice(path: string): Promise<DoctorCheck> {
  const there = await isAccessible(path, constants.R_OK | constants.W_OK);
  if (there) return { name: path, status: "ok", message: "usable" };
  return { name: path, status: "failed", message: "missing or not usable", hint: "Load it: modprobe tun" };
}

async function checkEmulator(): Promise<DoctorCheck> {
  try {
    const { program: name, package: brings } = hostArchitecture();
    return await checkProgram({ name, brings, needed: true });
  } catch (thrown) {
    const { message } = toUniError(thrown, "find the emulator");
    return { name: "emulator", status: "failed", message, hint: "Use a machine with an x86-64 processor." };
  }
}

/** Every table must let a packet pass: one that drops it has the last word. */
async function checkForwarding(pool: string): Promise<DoctorCheck> {
  const name = "forwarding";
  try {
    const dropping = await droppingForwardChains();
    if (dropping.length === 0) return { name, status: "ok", message: "no other firewall drops by default" };
    return {
      name,
      status: "warning",
      message: `dropped unless a rule accepts it, by nftables ${dropping.join(", ")}`,
      hint: `Accept ${pool} there, as source and as destination; with Docker: iptables -I DOCKER-USER -s ${pool} -j ACCEPT, and again with -d.`,
    };
  } catch (thrown) {
    const { message } = toUniError(thrown, "list firewall rules");
    return { name, status: "warning", message, hint: "See nft list chains." };
  }
}

async function checkProgram(program: Program): Promise<DoctorCheck> {
  const directories = (process.env.PATH ?? "").split(delimiter);
  for (const directory of directories) {
    const path = join(directory, program.name);
    if (await isAccessible(path, constants.X_OK)) return { name: program.name, status: "ok", message: path };
  }
  return {
    name: program.name,
    status: program.needed ? "failed" : "warning",
    message: "not found",
    hint: `Install it: apt-get install ${program.brings}`,
  };
}

async function checkSpace(what: string, path: string): Promise<DoctorCheck> {
  let free: number;
  try {
    const { bavail, bsize } = await statfs(path);
    free = bavail * bsize;
  } catch (thrown) {
    const { message } = toUniError(thrown, `look at ${path}`);
    return { name: what, status: "failed", message, hint: "Start unid again: it makes its directories." };
  }
  const message = `${(free / 2 ** 30).toFixed(1)} GiB free at ${path}`;
  if (free >= lowDiskBytes) return { name: what, status: "ok", message };
  return { name: what, status: "warning", message, hint: "Remove images and instances that are not needed." };
}

async function checkMemory(): Promise<DoctorCheck> {
  const free = freemem();
  const message = `${(free / 2 ** 30).toFixed(1)} GiB free`;
  if (free >= lowMemoryBytes) return { name: "memory", status: "ok", message };
  return { name: "memory", status: "warning", message, hint: "Stop instances that are not needed." };
}

async function checkUser(): Promise<DoctorCheck> {
  if (process.getuid?.() === 0) return { name: "user", status: "ok", message: "root" };
  return {
    name: "user",
    status: "failed",
    message: "not root",
    hint: "unid makes network devices: run it as root.",
  };
}

const isAccessible = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  );
