import type {
  InstanceFeature,
  InstanceRestartPolicy,
  InstanceState,
  ScaleToZeroPolicy,
  SleepTier,
} from "@uni/contract/enums";
import type { AccountId, Digest, InstanceId, ServiceGroupId } from "@uni/contract/ids";
import type { BecomingKind, ChildState, GuestEvent } from "../guest/port.ts";
import type { MissingMedia } from "./media.ts";
import type { AttachedRom, Rom } from "./roms.ts";

export interface InstancePort {
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly guestPort: number;
  readonly protocol: "tcp" | "udp";
}

/** When it may fall asleep by itself, and whether its memory is kept. */
export interface ScaleToZero {
  readonly policy: ScaleToZeroPolicy;
  readonly stateful: boolean;
  readonly cooldownMs: number;
  /** The guest is told this long before; 0: it is not. */
  readonly notifyMs: number;
}

export interface Sleep {
  readonly tier: SleepTier;
  readonly since: number;
}

/** Memory and devices of a machine at one instant. */
export interface SnapshotFacts {
  /** Of its directory. */
  readonly id: string;
  /** The snapshot whose pages lie below its own; never more than one (decision 0016). */
  readonly parent: string | null;
  /** What its machine had booted. */
  readonly kernel: string | null;
  readonly accelerator: string | null;
  /** Its program had listened. */
  readonly listening: boolean;
  readonly bytes: number;
  /** The ROM disks that its guest uses. */
  readonly roms: readonly AttachedRom[];
}

/** What an instance was made of, or taken back to, other than an image. */
export interface Origin {
  /** Its next start goes on from here, or its memory stands on it; null: it starts cold, with the disk. */
  readonly snapshot: SnapshotFacts | null;
  /** What its disk was made over; null: nothing was written. */
  readonly layer: string | null;
  /** It has run since: another start finds the disk as the instance left it. */
  readonly entered: boolean;
  readonly becomes: BecomingKind;
}

export interface Ancestor {
  readonly uuid: string;
  readonly name: string;
  readonly createdAt: number;
}

/** What the owner asked for. Null: the image's own value holds. */
export interface InstanceSpec {
  readonly imageReference: string;
  /** Null until it has been pulled. */
  readonly imageDigest: Digest | null;
  /** What is to be pulled before its first start; null: all of it is here. */
  readonly media: MissingMedia | null;
  readonly args: readonly string[] | null;
  readonly entrypoint: readonly string[] | null;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string | null;
  readonly workingDirectory: string | null;
  /** Its program has a terminal. */
  readonly tty: boolean;
  /** Its program's input is what clients send, and not empty. */
  readonly stdinOpen: boolean;
  readonly memoryMb: number;
  readonly vcpus: number;
  readonly restartPolicy: InstanceRestartPolicy;
  /** Most restarts in one sequence; null is no limit. */
  readonly restartLimit: number | null;
  readonly features: readonly InstanceFeature[];
  readonly tags: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly deleteLock: boolean;
  readonly hostname: string | null;
  readonly ports: readonly InstancePort[];
  readonly gracePeriodMs: number;
  readonly nameserver: string | null;
  /** Null: it never sleeps unless asked to. */
  readonly scaleToZero: ScaleToZero | null;
  readonly roms: readonly Rom[];
  /** The checkpoints that its state came from, newest first. */
  readonly lineage: readonly Ancestor[];
  /** It runs to become a template, for a request that waits for it, and is removed if that does not come about. */
  readonly preparation: boolean;
  /** The instance whose guest asked for this copy of it. */
  readonly forkedFrom: InstanceId | null;
  /** The one that it is a fork of a fork of, however many of those between are gone. */
  readonly forkFamily: InstanceId | null;
  /** The service group that was given it because of its load, and that it goes with. */
  readonly scaledFor: ServiceGroupId | null;
  /** A member of it, which goes once this one serves. */
  readonly replaces: InstanceId | null;
}

export interface PendingUpdate {
  readonly prop: string;
  readonly op: "set" | "add" | "del";
  readonly value: unknown;
  readonly status: "pending" | "failed";
  readonly error?: string;
}

export type ExitReport = Extract<GuestEvent, { kind: "exited" | "start-failed" }>;

/** What happened so far, and what the daemon is bringing about. */
export interface InstanceStatus {
  readonly state: InstanceState;
  /** Written before the act, so that a daemon that died half-way knows whether to finish or to undo. */
  readonly intent: "run" | "sleep" | "stop" | "delete";
  /** From where it wakes; kept until it is awake again. */
  readonly sleep: Sleep | null;
  /** The guest has got its configuration: its program may have run. */
  readonly configured: boolean;
  /** How the program ended, from the guest's report on: the report is acknowledged and does not come again. */
  readonly exit: ExitReport | null;
  readonly stopReason: number | null;
  readonly exitCode: number | null;
  readonly stopCode: number | null;
  /** One sentence for a person. */
  readonly exitReason: string | null;
  readonly startCount: number;
  readonly restartCount: number;
  readonly startedAt: number | null;
  readonly stoppedAt: number | null;
  /** Whole run time of the runs that ended. */
  readonly uptimeMs: number;
  readonly bootTimeUs: number | null;
  readonly netTimeUs: number | null;
  readonly vmmStartUs: number | null;
  readonly vmmLoadUs: number | null;
  readonly vmmReadyUs: number | null;
  readonly accelerator: string | null;
  readonly kernel: string | null;
  readonly restart: { readonly attempt: number; readonly nextAt: number | null } | null;
  readonly updates: readonly PendingUpdate[];
  /** The ROM disks that its guest uses, and while it wakes those that it is about to use. */
  readonly roms: readonly AttachedRom[];
  /** Until the end of the run that began with it. */
  readonly origin: Origin | null;
  /** Ends of forks that its guest has not heard of: nothing else remembers those of forks that are gone. */
  readonly forkEnds: readonly ChildState[];
}

export interface InstanceRecord {
  readonly id: InstanceId;
  readonly sequence: number;
  readonly account: AccountId;
  readonly name: string;
  readonly address: string;
  readonly createdAt: number;
  readonly spec: InstanceSpec;
  readonly status: InstanceStatus;
}

export const neverStarted: InstanceStatus = {
  state: "stopped",
  intent: "stop",
  sleep: null,
  configured: false,
  exit: null,
  stopReason: null,
  exitCode: null,
  stopCode: null,
  exitReason: null,
  startCount: 0,
  restartCount: 0,
  startedAt: null,
  stoppedAt: null,
  uptimeMs: 0,
  bootTimeUs: null,
  netTimeUs: null,
  vmmStartUs: null,
  vmmLoadUs: null,
  vmmReadyUs: null,
  accelerator: null,
  kernel: null,
  restart: null,
  updates: [],
  roms: [],
  origin: null,
  forkEnds: [],
};
