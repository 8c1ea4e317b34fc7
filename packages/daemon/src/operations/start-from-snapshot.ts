/**
 * A start that goes on from a snapshot: as a clone, a branch, a fork, or the same instance at an earlier time. Until the guest
 * has become who it is to be, it has no name to anybody and its disk is made anew by the next try; so a start that is cut
 * short anywhere loses nothing. It runs before that, and is said to: who wants something of it waits, and packets are held. Its
 * network is there all along: what it sends under an address that is not its own is dropped.
 */
import { toUniError, UniError } from "@uni/contract/errors";
import { Laps } from "../base/laps.ts";
import { settled } from "../base/settled.ts";
import { Teardown } from "../base/teardown.ts";
import type { GuestBecoming, GuestRom } from "../guest/port.ts";
import type { ImageConfig } from "../images/port.ts";
import type { LiveInstance, StartHooks } from "../instances/lifecycle.ts";
import { knownImage } from "../instances/media.ts";
import type { InstanceRecord, InstanceStatus, Origin, SnapshotFacts } from "../instances/record.ts";
import { planRoms, romsInUse } from "../instances/roms.ts";
import type { Machine, Vmm } from "../vmm/port.ts";
import { attachmentOf } from "./attachments.ts";
import { guestConfig } from "./guest-config.ts";
import {
  connect,
  connectMs,
  killMachine,
  type LifecycleDependencies,
  machineSpec,
  undoSteps,
} from "./machine.ts";

export interface OriginWithMemory extends Origin {
  readonly snapshot: SnapshotFacts;
}

/** The memory that the next start is to go on from; undefined: it boots. */
export function memoryOf({ status: { origin } }: InstanceRecord): OriginWithMemory | undefined {
  if (origin === null || origin.snapshot === null || origin.entered) return undefined;
  return { ...origin, snapshot: origin.snapshot };
}

export async function startFromSnapshot(
  deps: LifecycleDependencies,
  record: InstanceRecord,
  origin: OriginWithMemory,
  { hooks, signal }: { readonly hooks: StartHooks; readonly signal: AbortSignal },
): Promise<LiveInstance> {
  const { network, clock } = deps;
  const undo = new Teardown();
  const begunUs = clock.monotonicUs();
  const laps = new Laps(clock);
  const synced = hooks.synced();
  synced.catch(() => {}); // Awaited below, if the start comes so far.
  try {
    const vmm = await deps.vmm();
    const directory = deps.directories.snapshot(origin.snapshot.id);
    requireGood(vmm, directory, record.name);
    const image = await deps.images.resolve(knownImage(record.spec, `resume instance '${record.name}'`));
    const { version, boot } = await (origin.snapshot.kernel === null
      ? deps.currentKernel()
      : deps.kernelOf(origin.snapshot.kernel));
    await network.checkPorts(record.spec.ports, deps.otherAttachments(record));
    const { machine: roms, guest } = planRoms(origin.snapshot.roms, record.spec.roms);
    const attachment = attachmentOf(network, record, true);
    await undo.add("network", () => network.detach(attachment));
    const parts = { boot, rootPath: image.rootPath, roms, anew: true };
    const [spec] = await settled([machineSpec(deps, record, parts), network.makeDevice(attachment)]);
    signal.throwIfAborted();
    laps.lap("prepared");
    const resuming = vmm.resume(spec, directory, signal);
    await undo.add("machine", async () => {
      const made = await resuming.catch(() => undefined);
      if (made !== undefined) await killMachine(deps, record, made);
    });
    // All beside the machine's start, which takes longer.
    const attached = network.attach({ ...attachment, asleep: "paused" });
    const [machine] = await settled([resuming, attached, synced]);
    laps.lap("loaded");
    await machine.resume();
    laps.lap("resumed");
    const us = clock.monotonicUs() - begunUs;
    // Not synced: a power cut takes the machine too, and begins the start again.
    const told = hooks.onProgress(runningStatus(machine, version, us), { synced: false });
    told.catch(() => {}); // Awaited below, if the agent is reached.
    const channel = await connect(deps, machine, { logOffset: "anew", ms: connectMs, signal });
    await undo.add("channel", () => channel.close());
    laps.lap("reached");
    await channel.become(becomingOf(deps, record, origin, { image: image.config, roms: guest }));
    signal.throwIfAborted();
    laps.lap("become");
    await told;
    const netTimeUs = origin.snapshot.listening ? clock.monotonicUs() - begunUs : null;
    await hooks.onProgress({
      configured: true,
      origin: { ...origin, entered: true },
      roms: romsInUse(roms, record.spec.roms),
      netTimeUs,
    });
    await network.wake(attachment);
    laps.lap("admitted");
    deps.log.debug(
      { instance: record.id, us: laps.us, process: machine.timings },
      "a machine goes on from a snapshot",
    );
    channel.onEvent(hooks.onEvent);
    return { machine, channel };
  } catch (error) {
    await undoSteps(deps.log, undo, { instance: record.id, what: "a start" });
    throw toUniError(error, `start instance '${record.name}'`);
  }
}

function runningStatus(
  { accelerator, timings }: Machine,
  kernel: string,
  bootTimeUs: number,
): Partial<InstanceStatus> {
  return {
    ...{ state: "running", accelerator, kernel, bootTimeUs },
    vmmStartUs: timings?.startUs ?? null,
    vmmLoadUs: timings?.loadUs ?? null,
    vmmReadyUs: timings?.readyUs ?? null,
  };
}

/** Memory that cannot be used is never given up silently: it is for its owner to say that the rest will do. */
function requireGood(vmm: Vmm, directory: string, name: string): void {
  const health = vmm.checkSnapshot(directory);
  if (health.state === "good") return;
  const why = "reason" in health ? health.reason : "its files are gone";
  throw new UniError("snapshot_unusable", `start instance '${name}' with its memory: ${why}`, {
    hint: `Its disk is whole: uni start --cold ${name} boots it without the memory.`,
  });
}

function becomingOf(
  { network, windowOf }: LifecycleDependencies,
  record: InstanceRecord,
  origin: OriginWithMemory,
  { image, roms }: { readonly image: ImageConfig; readonly roms: readonly GuestRom[] },
): GuestBecoming {
  const { gateway, nameservers } = network;
  const {
    mode: _mode,
    program: _program,
    ...identity
  } = guestConfig(record, image, {
    gateway,
    nameservers,
    mode: "run",
    roms,
    window: windowOf(record),
  });
  return { ...identity, kind: origin.becomes, mac: network.namesFor(record.address).mac };
}
