/**
 * Real machines without a daemon, for the tests of the QEMU driver: a small root, disks and TAPs of their own, and the
 * real agent to give orders to.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { after } from "node:test";
import { systemClock as clock } from "../../packages/daemon/src/base/clock.ts";
import { silentLog } from "../../packages/daemon/src/base/log.ts";
import { createGuestConnector } from "../../packages/daemon/src/guest/connector.ts";
import type { GuestChannel } from "../../packages/daemon/src/guest/port.ts";
import type { CaptureSetup } from "../../packages/daemon/src/vmm/capture-conformance.ts";
import { conformanceShape } from "../../packages/daemon/src/vmm/conformance.ts";
import type { Machine, MachineSpec, Vmm } from "../../packages/daemon/src/vmm/port.ts";
import { createQemuVmm } from "../../packages/daemon/src/vmm/qemu/driver.ts";
import { DiskLayers } from "../../packages/daemon/src/volumes/disk-layers.ts";
import { bootFiles, cacheDirectory } from "./boot-files.ts";
import { makeBusyboxRoot } from "./busybox-root.ts";
import { enterOwnNamespaces } from "./own-namespaces.ts";

export interface QemuMachines extends CaptureSetup {
  readonly directory: string;
  readonly layers: DiskLayers;
  readonly awaitBooted: (agentSocket: string, signal: AbortSignal) => Promise<void>;
  /** Runs a shell line in a guest that was configured by the first call, and returns what it printed. */
  shell(machine: Machine, line: string): Promise<string>;
  /** As `shell`, of a machine that was started anew where another one has been. */
  shellAnew(machine: Machine, line: string): Promise<string>;
  /** Killed at the end, if it is there by then. */
  keep(machine: Machine): Machine;
}

/** What a test file opens with: its own namespaces, machines, and a driver; gone after its last test. */
export async function machinesForFile(): Promise<{ readonly machines: QemuMachines; readonly vmm: Vmm }> {
  enterOwnNamespaces();
  const machines = await qemuMachines();
  after(() => machines.close());
  return { machines, vmm: await machines.newVmm() };
}

/** The caller is in namespaces of its own. */
export async function qemuMachines(): Promise<QemuMachines> {
  const boot = await bootFiles();
  const directory = mkdtempSync(join(tmpdir(), "q-"));
  chmodSync(directory, 0o755);
  const rootPath = makeRootImage(directory);
  const pristine = join(directory, "pristine");
  writeFileSync(pristine, "");
  truncateSync(pristine, 256 << 20);
  execFileSync("mke2fs", ["-q", "-t", "ext4", pristine]);
  const layers = new DiskLayers({
    directory: join(directory, "layers"),
    pristine,
    copyTemplate: async (path) => makeOverlay(path, "/nowhere", ["-u", "-F", "qcow2"], `${256 << 20}`),
  });
  const guests = createGuestConnector({ clock, log: silentLog });
  const channels = new Map<number, Promise<GuestChannel>>();
  /** Agents that have their configuration, by socket: it outlives a sleep. */
  const configured = new Set<string>();
  const kept: Machine[] = [];
  const vmms: Vmm[] = [];
  let count = 0;

  const connect = (machine: Machine) =>
    guests.connect(machine.agentSocket, { logOffset: 0, signal: AbortSignal.timeout(30_000) });

  /** Configured for files and exec only; kept open, as one client at a time is served. */
  function channelOf(machine: Machine): Promise<GuestChannel> {
    const known = channels.get(machine.process.pid);
    if (known) return known;
    const made = connect(machine).then(async (channel) => {
      if (configured.has(machine.agentSocket)) {
        await channel.refresh([]);
        return channel;
      }
      await channel.configure({
        instance: { id: "00000000-0000-4000-8000-000000000000", name: "test" },
        hostname: "test",
        network: { address: "10.0.0.2", gateway: "169.254.1.1", nameservers: [] },
        machineId: "0".repeat(32),
        roms: [],
        mode: "maintenance",
        program: { argv: [], env: {}, user: "", workingDirectory: "/", stopSignal: 15 },
      });
      configured.add(machine.agentSocket);
      return channel;
    });
    channels.set(machine.process.pid, made);
    return made;
  }

  async function shell(machine: Machine, line: string): Promise<string> {
    const channel = await channelOf(machine);
    const exec = await channel.exec({ argv: ["sh", "-c", `{ ${line}; } 2>&1`], env: { PATH: "/bin" } });
    exec.io.end();
    const output = await text(exec.io);
    await exec.exitCode;
    await exec.close();
    return output;
  }

  const diskOf = ({ writable }: MachineSpec) => dirname(writable.path);

  async function newSpec(user?: number, layer?: string): Promise<MachineSpec> {
    const number = ++count;
    const uid = user ?? 2 ** 30 + number;
    const disk = join(directory, `disk${number}`);
    mkdirSync(disk, { mode: 0o710 });
    chownSync(disk, 0, uid);
    const overlay = join(disk, "writable.qcow2");
    if (layer === undefined) makeOverlay(overlay, pristine, ["-F", "raw"]);
    else await layers.makeOverlay(overlay, layer, uid);
    chownSync(overlay, uid, uid);
    const tap = tapOf(number);
    execFileSync("ip", ["tuntap", "add", "dev", tap, "mode", "tap", "user", `${uid}`, "vnet_hdr"]);
    execFileSync("ip", ["link", "set", tap, "up"]);
    return {
      id: `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
      directory: join(directory, `m${number}`),
      uid,
      shape: conformanceShape,
      boot,
      root: { path: rootPath, format: "raw", readOnly: true },
      writable: { path: overlay, format: "qcow2", readOnly: false },
      network: { tap, mac: `02:00:00:00:01:${number.toString(16).padStart(2, "0")}` },
      roms: [],
    };
  }

  return {
    directory,
    layers,
    awaitBooted: guests.awaitBooted,
    boot,
    shell,
    shellAnew(machine, line) {
      configured.delete(machine.agentSocket);
      return shell(machine, line);
    },
    keep(machine) {
      kept.push(machine);
      return machine;
    },
    newSpec: (uid) => newSpec(uid),
    async newVmm() {
      const vmm = await createQemuVmm({
        ...{ clock, log: silentLog, cacheDirectory, awaitBooted: guests.awaitBooted },
        accelerator: "tcg",
      });
      vmms.push(vmm);
      return vmm;
    },
    async greetAgent(machine) {
      const channel = await connect(machine);
      await channel.close();
    },
    async remember(machine, text) {
      // A blob that no later generation writes again, and a note that every one does.
      const blob = "head -c 8388608 /dev/urandom >/mem/blob && md5sum /mem/blob >/mem/sum";
      const once = `[ -e /mem ] || { mkdir /mem && mount -t tmpfs none /mem && ${blob}; }`;
      assert.equal(await shell(machine, `${once} && echo -n '${text}' >/mem/note`), "");
    },
    recall: (machine) => shell(machine, "md5sum -c /mem/sum >/mem/verdict && cat /mem/note"),
    async hangUp(machine) {
      const channel = channels.get(machine.process.pid);
      channels.delete(machine.process.pid);
      await (await channel)?.close();
    },
    async store(machine, text) {
      assert.equal(await shell(machine, `echo -n '${text}' >/stored && sync`), "");
    },
    load: (machine) => shell(machine, "echo 3 >/proc/sys/vm/drop_caches; cat /stored"),
    async prepareNext(spec) {
      const layer = randomUUID();
      const path = await layers.prepareNext(diskOf(spec), spec.uid, layer);
      return { disk: layer, nextDisk: { ...spec.writable, path } };
    },
    completeSwitch: (spec) => layers.completeSwitch(diskOf(spec)),
    async cloneSpec(layer) {
      const spec = await newSpec(undefined, layer);
      // Its memory has the configuration.
      configured.add(join(spec.directory, "run", "agent"));
      return spec;
    },
    async shutDownGuest(machine) {
      const channel = await channelOf(machine);
      await channel.powerOff();
    },
    async panicGuest(machine) {
      const channel = await channelOf(machine);
      const argv = ["sh", "-c", "echo c >/proc/sysrq-trigger"];
      // The channel breaks before an answer can come.
      void channel.exec({ argv, env: { PATH: "/bin" } }).then(
        (exec) => exec.exitCode.catch(() => {}),
        () => {},
      );
    },
    async killVmm(machine) {
      process.kill(machine.process.pid, "SIGKILL");
    },
    async close() {
      for (const machine of kept) await machine.kill();
      for (const vmm of vmms) vmm.close();
      for (let number = 1; number <= count; number++) execFileSync("ip", ["link", "del", tapOf(number)]);
      for (const channel of channels.values()) await channel.then((open) => open.close()).catch(() => {});
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const tapOf = (number: number): string => `t${number}`;

function makeOverlay(path: string, backing: string, format: readonly string[], ...size: string[]): void {
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", ...format, "-b", backing, path, ...size]);
}

function makeRootImage(directory: string): string {
  const files = join(directory, "root");
  const image = join(directory, "root.erofs");
  mkdirSync(files);
  makeBusyboxRoot(files);
  execFileSync("mkfs.erofs", ["--quiet", image, files]);
  chmodSync(image, 0o444);
  return image;
}
