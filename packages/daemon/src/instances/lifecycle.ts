/**
 * What the owner loop needs done outside this room; `operations/` does it and `main/` hands it in. Each function may fail
 * at any step and must then leave nothing behind of what it began.
 */
import type { AccountId, Digest } from "@uni/contract/ids";
import type { ImageReference } from "@uni/contract/resources/image-spec";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import type { GuestChannel, GuestEvent } from "../guest/port.ts";
import type { SaveOptions } from "../store/instances.ts";
import type { Machine } from "../vmm/port.ts";
import type { PortWish } from "./port-changes.ts";
import type { InstancePort, InstanceRecord, InstanceSpec, InstanceStatus } from "./record.ts";
import type { Rom } from "./roms.ts";

export interface LiveInstance {
  readonly machine: Machine;
  readonly channel: GuestChannel;
}

export interface StartHooks {
  /** Everything the guest says; it is acknowledged when the promise resolves. */
  readonly onEvent: (event: GuestEvent) => Promise<void>;
  /** Stores what is known so far; awaited before the next step. */
  readonly onProgress: (status: Partial<InstanceStatus>, options?: SaveOptions) => Promise<void>;
  /** Resolves when what was written down before would survive a power cut. No guest runs before: who answers for it has begun. */
  readonly synced: () => Promise<void>;
}

export interface ChangedImage {
  readonly reference: string;
  readonly digest: Digest;
}

export interface ResolvedRoms {
  readonly roms: readonly Rom[];
  /** What is on them is kept until then; afterwards for as long as a record names it. */
  release(): void;
}

/** The steps of sleep. The record says from which tier: see `asleepOf`. */
export interface SleepLifecycle {
  /** Packets for it are held from here on; it runs. */
  hold(record: InstanceRecord): Promise<void>;
  /**
   * Packets are held, then its processors stand still. False when `stillIdle` says no or the signal aborts: then, and when
   * it fails, `unpause` brings it back from whatever was done.
   */
  pause(
    record: InstanceRecord,
    live: LiveInstance,
    stillIdle: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Its processors go on, clock and entropy are new, its route is back, held packets are delivered. */
  unpause(record: InstanceRecord, live: LiveInstance): Promise<void>;
  /** Writes a snapshot of one that is paused, and it stays so. Aborting leaves nothing. */
  toDisk(record: InstanceRecord, live: LiveInstance | undefined, signal: AbortSignal): Promise<void>;
  /** Ends the process of one that does not need it to come back, and its device; packets are held. Harmless when done. */
  leave(record: InstanceRecord, live: LiveInstance | undefined): Promise<void>;
  /** The guest, running again out of its snapshot and without a route: `unpause` comes next. */
  fromDisk(record: InstanceRecord, hooks: StartHooks, signal: AbortSignal): Promise<LiveInstance>;
  checkSnapshot(record: InstanceRecord): Promise<"good" | "missing" | "corrupt" | "unfit">;
  /** Is the process of a paused one still there? A snapshot that its record does not know of is removed. */
  findPaused(record: InstanceRecord): Promise<boolean>;
  /** The route of one that booted to be woken; held packets are delivered. */
  admitPackets(record: InstanceRecord): Promise<void>;
}

export interface Lifecycle extends SleepLifecycle {
  /** From nothing to a guest that has its configuration. Aborting the signal undoes it. */
  start(
    record: InstanceRecord,
    mode: "run" | "maintenance",
    hooks: StartHooks,
    signal: AbortSignal,
  ): Promise<LiveInstance>;
  /** The machine that an earlier daemon left, with its guest, running; undefined when there is none (and then nothing is left). */
  adopt(record: InstanceRecord, hooks: StartHooks): Promise<LiveInstance | undefined>;
  /** Machine, network, snapshot and handles gone; harmless when they are already. */
  end(record: InstanceRecord, live: LiveInstance | undefined): Promise<void>;
  /**
   * Publishes these of the instance's ports and no others; what is free of those without a host port is picked. `save` has
   * them written down before the act, and the former ones again if it fails.
   */
  publish(
    record: InstanceRecord,
    wishes: readonly PortWish[],
    save: (ports: readonly InstancePort[]) => Promise<InstanceRecord>,
  ): Promise<void>;
  /** Lets go of a machine that goes on without us. */
  release(live: LiveInstance): Promise<void>;
  /** Disks, log and directories gone. */
  erase(record: InstanceRecord): Promise<void>;
  /** Pulls what is missing of it; says how its specification is then. */
  bringMedia(record: InstanceRecord, signal: AbortSignal): Promise<Partial<InstanceSpec>>;
  /** Waits for its registry if it is not here. */
  resolveImage(account: AccountId, image: ImageReference): Promise<ChangedImage>;
  resolveRoms(account: AccountId, parts: readonly RomPart[]): Promise<ResolvedRoms>;
}
