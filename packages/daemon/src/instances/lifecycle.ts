/**
 * What the owner loop needs done outside this room; `operations/` does it and `main/` hands it in. Each function may fail
 * at any step and must then leave nothing behind of what it began.
 */
import type { Digest } from "@uni/contract/ids";
import type { GuestChannel, GuestEvent } from "../guest/port.ts";
import type { Machine } from "../vmm/port.ts";
import type { InstanceRecord, InstanceStatus } from "./record.ts";

export interface LiveInstance {
  readonly machine: Machine;
  readonly channel: GuestChannel;
}

export interface StartHooks {
  /** Everything the guest says; it is acknowledged when the promise resolves. */
  readonly onEvent: (event: GuestEvent) => Promise<void>;
  /** Stores what is known so far; awaited before the next step. */
  readonly onProgress: (status: Partial<InstanceStatus>) => Promise<void>;
}

export interface ChangedImage {
  readonly reference: string;
  readonly digest: Digest;
}

export interface Lifecycle {
  /** From nothing to a guest that has its configuration. Aborting the signal undoes it. */
  start(
    record: InstanceRecord,
    mode: "run" | "maintenance",
    hooks: StartHooks,
    signal: AbortSignal,
  ): Promise<LiveInstance>;
  /** The machine that an earlier daemon left, with its guest; undefined when there is none (and then nothing is left). */
  adopt(record: InstanceRecord, hooks: StartHooks): Promise<LiveInstance | undefined>;
  /** Machine, network and handles gone; harmless when they are already. */
  end(record: InstanceRecord, live: LiveInstance | undefined): Promise<void>;
  /** Lets go of a machine that goes on without us. */
  release(live: LiveInstance): Promise<void>;
  /** Disks, log and directories gone. */
  erase(record: InstanceRecord): Promise<void>;
  resolveImage(reference: string): Promise<ChangedImage>;
}
