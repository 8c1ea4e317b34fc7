/**
 * Starting, taking over and ending the machine of an instance. Each step of `start` registers its undo where it is done;
 * a failure or an abort runs them backwards. Order: the writable layer and the network come before the VMM, which opens
 * both; the configuration is marked as sent before it is sent, so that a new daemon knows whether the program may run.
 */
import { existsSync } from "node:fs";
import { chown } from "node:fs/promises";
import { toUniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";
import { withDeadline } from "../base/deadline.ts";
import type { Log } from "../base/log.ts";
import { Teardown } from "../base/teardown.ts";
import type { GuestChannel, GuestConfig, GuestConnector } from "../guest/port.ts";
import { ensureDirectory, removeTree } from "../host/files.ts";
import type { Images } from "../images/port.ts";
import type { Lifecycle, LiveInstance, StartHooks } from "../instances/lifecycle.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Attachment, Network } from "../network/port.ts";
import type { Machine, MachineSpec, Vmm } from "../vmm/port.ts";
import type { WritableLayers } from "../volumes/writable-layer.ts";
import { type Directories, uidFor } from "./directories.ts";
import { guestConfig } from "./guest-config.ts";

export interface BootableKernel {
  readonly version: string;
  readonly boot: MachineSpec["boot"];
}

export interface LifecycleDependencies {
  /** Waits until it is known what the host can do. */
  readonly vmm: () => Promise<Vmm>;
  readonly guests: GuestConnector;
  readonly network: Network;
  readonly images: Images;
  readonly layers: WritableLayers;
  readonly directories: Directories;
  readonly log: Log;
  readonly clock: Clock;
  /** What live instances other than this one hold on the host. */
  readonly otherAttachments: (record: InstanceRecord) => readonly Attachment[];
  readonly currentKernel: () => Promise<BootableKernel>;
  /** How far the log of an instance has been stored, in the guest's own count. */
  readonly guestLogOffset: (record: InstanceRecord) => Promise<number>;
}

/** Restoring and connecting; a boot snapshot that must be made first has its own, longer deadline in the driver. */
const connectMs = 20_000;
/** A machine that lives is not given up soon: after the start of a daemon all of them are asked at once. */
const adoptMs = 60_000;

export function createLifecycle(deps: LifecycleDependencies): Lifecycle {
  return {
    start: (record, mode, hooks, signal) => startMachine(deps, record, { mode, hooks, signal }),
    adopt: (record, hooks) => adoptMachine(deps, record, hooks),
    end: (record, live) => endMachine(deps, record, live),
    async release(live) {
      await live.channel.close();
      await live.machine.release();
    },
    async erase(record) {
      await removeTree(deps.directories.machine(record.id));
      await removeTree(deps.directories.instance(record.id));
    },
    async resolveImage(reference) {
      const image = await deps.images.resolve(reference);
      return { reference, digest: image.digest };
    },
  };
}

interface StartOptions {
  readonly mode: "run" | "maintenance";
  readonly hooks: StartHooks;
  readonly signal: AbortSignal;
}

async function startMachine(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  options: StartOptions,
): Promise<LiveInstance> {
  const { network, images, layers, directories } = deps;
  const { mode, hooks, signal } = options;
  const undo = new Teardown();
  try {
    const image = await images.resolve(record.spec.imageDigest);
    const vmm = await deps.vmm();
    const kernel = await deps.currentKernel();
    const config = guestConfig(record, image.config, {
      gateway: network.gateway,
      nameservers: network.nameservers,
      mode,
    });
    const shape = { vcpus: record.spec.vcpus, memoryMb: record.spec.memoryMb };
    if (mode === "run") await network.checkPorts(record.spec.ports, deps.otherAttachments(record));
    await vmm.prepare(kernel.boot, shape, signal);

    const uid = uidFor(record.address);
    await ensureDirectory(directories.instance(record.id), 0o711);
    await ensureDirectory(directories.disk(record.id), 0o700);
    await chown(directories.disk(record.id), uid, uid);
    const writable = await layers.ensure(directories.disk(record.id), uid);

    const attachment = attachmentOf(network, record, mode === "run");
    await network.attach(attachment);
    await undo.add("network", () => network.detach(attachment));
    signal.throwIfAborted();

    const machine = await vmm.start(
      {
        id: record.id,
        directory: directories.machine(record.id),
        uid,
        shape,
        boot: kernel.boot,
        root: { path: image.rootPath, format: "raw", readOnly: true },
        writable: { path: writable, format: "qcow2", readOnly: false },
        network: { tap: attachment.tap, mac: attachment.mac },
      },
      signal,
    );
    await undo.add("machine", () => killMachine(deps, record, machine));
    const channel = await connect(deps, machine, { logOffset: 0, ms: connectMs, signal });
    await undo.add("channel", () => channel.close());
    channel.onEvent(hooks.onEvent);
    await hooks.onProgress({
      configured: mode === "run",
      accelerator: machine.accelerator,
      kernel: kernel.version,
      vmmStartUs: machine.timings?.startUs ?? null,
      vmmLoadUs: machine.timings?.loadUs ?? null,
      vmmReadyUs: machine.timings?.readyUs ?? null,
    });
    signal.throwIfAborted();
    await configure(channel, config, signal);
    return { machine, channel };
  } catch (error) {
    for (const failure of await undo.run()) {
      deps.log.error(
        { err: failure.error, instance: record.id, step: failure.name },
        "undoing a start failed",
      );
    }
    throw toUniError(error, `start instance '${record.name}'`);
  }
}

/** An agent that does not answer is not waited for when the start is cut short. */
async function configure(channel: GuestChannel, config: GuestConfig, signal: AbortSignal): Promise<void> {
  const onAbort = () => void channel.close();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await channel.configure(config);
    signal.throwIfAborted();
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function adoptMachine(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  hooks: StartHooks,
): Promise<LiveInstance | undefined> {
  const machine = await findMachine(deps, record);
  if (machine === undefined) {
    await endMachine(deps, record, undefined);
    return undefined;
  }
  try {
    await deps.network.attach(attachmentOf(deps.network, record, true));
    const logOffset = await deps.guestLogOffset(record);
    const channel = await connect(deps, machine, { logOffset, ms: adoptMs });
    channel.onEvent(hooks.onEvent);
    return { machine, channel };
  } catch (error) {
    deps.log.error(
      { err: error, instance: record.id },
      "a machine of an earlier daemon cannot be taken over",
    );
    await killMachine(deps, record, machine);
    await endMachine(deps, record, undefined);
    return undefined;
  }
}

async function endMachine(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  live: LiveInstance | undefined,
): Promise<void> {
  await live?.channel.close();
  const machine = live?.machine ?? (await findMachine(deps, record));
  await machine?.kill();
  await removeTree(deps.directories.machine(record.id));
  await deps.network.detach(attachmentOf(deps.network, record, true));
}

/** What an earlier daemon, or a start that was cut off, may have left. */
async function findMachine(
  deps: LifecycleDependencies,
  record: InstanceRecord,
): Promise<Machine | undefined> {
  const directory = deps.directories.machine(record.id);
  if (!existsSync(directory)) return undefined;
  return (await deps.vmm()).adopt(directory);
}

async function killMachine(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  machine: Machine,
): Promise<void> {
  await machine.kill();
  await removeTree(deps.directories.machine(record.id));
}

function connect(
  { guests, clock }: LifecycleDependencies,
  { agentSocket }: Machine,
  options: { readonly logOffset: number; readonly ms: number; readonly signal?: AbortSignal },
): Promise<GuestChannel> {
  const { logOffset, ms, signal } = options;
  return withDeadline({ clock, ms, attempted: "reach the guest's agent", signal }, (limited) =>
    guests.connect(agentSocket, { logOffset, signal: limited }),
  );
}

/** What live instances hold on the host, under their names; `except` is not among them. */
export function liveAttachments(
  network: Network,
  records: readonly InstanceRecord[],
  except?: InstanceRecord,
): readonly Attachment[] {
  return records
    .filter((record) => record.status.state !== "stopped" && record.id !== except?.id)
    .map((record) => ({ ...attachmentOf(network, record, true), instanceId: record.name }));
}

/** What the host holds for an instance that runs; ports are left out while only its files are looked at. */
export function attachmentOf(network: Network, record: InstanceRecord, withPorts: boolean): Attachment {
  return {
    instanceId: record.id,
    account: record.account,
    address: record.address,
    ...network.namesFor(record.address),
    uid: uidFor(record.address),
    ports: withPorts ? record.spec.ports : [],
  };
}
