/**
 * What the API asks of the daemon. Declared here, by the room that needs it, and filled by `main/`. Every call acts for
 * one account; a reference outside that account is `not_found`. All failures are UniErrors.
 */
import type { Duplex, Readable } from "node:stream";
import type { InstanceState } from "@uni/contract/enums";
import type { AccountId, InstanceId } from "@uni/contract/ids";
import type { AutoscaleGroup, ScalePolicy, SetAutoscaleBody } from "@uni/contract/resources/autoscale";
import type {
  Certificate,
  CreateCertificateRequest,
  UpdateCertificatesItem,
} from "@uni/contract/resources/certificate";
import type { CreateInstanceRequest, Instance, InstanceUpdate } from "@uni/contract/resources/instance";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import type { HealthzData, Metro, Quotas } from "@uni/contract/resources/node";
import type { SavedUpdate } from "@uni/contract/resources/saved-instance";
import type {
  CreateServiceGroupRequest,
  ServiceGroup,
  ServiceGroupUpdate,
} from "@uni/contract/resources/service-group";
import type {
  CaInfo,
  CopyInParams,
  DaemonEvent,
  DaemonInfo,
  DiskUsage,
  DoctorReport,
  ExecParams,
  ExecResult,
  KernelInfo,
  LogLine,
  Progress,
  VmStats,
} from "@uni/contract/rpc";
import type { ConsoleParams } from "@uni/contract/rpc-params";
import type { ImagesPort } from "./images-port.ts";
import type { RegistriesPort } from "./registries-port.ts";

export interface Reference {
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
}

export interface Page {
  /** Infinity for all. */
  readonly count: number;
  /** The page begins after this one (a uuid, perhaps of one that is gone) or this time (ISO 8601). */
  readonly from?: string | undefined;
  readonly order: "asc" | "desc";
}

export interface InstancePage extends Page {
  readonly tags: readonly string[];
}

/** Milliseconds to block; 0 = do not wait, Infinity = no limit. */
export type WaitMs = number;

export interface Transition {
  readonly state: InstanceState;
  readonly previousState: InstanceState;
  /** The wait ran out before the goal was reached. */
  readonly timedOut: boolean;
}

export interface StartOptions {
  readonly waitMs: WaitMs;
  /** One that sleeps boots without the memory it had. */
  readonly cold?: boolean | undefined;
}

export interface SuspendOptions {
  /** How long open connections are waited for; 0: not at all, Infinity: until they end. */
  readonly drainMs: number;
  readonly waitMs: WaitMs;
}

export interface StopOptions {
  readonly force: boolean;
  readonly drainMs: number;
  /** Stop only when in this state; else nothing happens. */
  readonly ifState?: InstanceState | undefined;
  /** Milliseconds between the stop signal and SIGKILL. */
  readonly graceMs: number;
  readonly waitMs: WaitMs;
}

export interface LogWindow {
  readonly output: Buffer;
  readonly available: { readonly start: number; readonly end: number };
  readonly range: { readonly start: number; readonly end: number };
  readonly state: InstanceState;
}

export interface InstanceMetrics {
  readonly rssBytes: number;
  readonly cpuTimeMs: number;
  readonly bootTimeUs: number;
  readonly netTimeUs: number;
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly txBytes: number;
  readonly txPackets: number;
  /** Established TCP connections with others, as the guest sees them. */
  readonly connections: number;
  /** Not cumulative; null: above all bounds. */
  readonly wakes: readonly { readonly bucketMs: number | null; readonly count: number }[];
  readonly wakesSumMs: number;
}

/** A figure of the node, or several that differ by their labels. */
export interface NodeFigure {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly samples: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[];
}

export interface ExecSession {
  /** Writes are stdin; `end()` closes it. */
  readonly stdin: NodeJS.WritableStream;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly result: Promise<ExecResult>;
  resize(rows: number, columns: number): Promise<void>;
  signal(name: string): Promise<void>;
  close(): Promise<void>;
}

export interface ConsoleSession
  extends Pick<ExecSession, "stdin" | "result" | "resize" | "signal" | "close"> {
  /** "system": what Uni itself says of the instance. */
  readonly output: AsyncIterable<{
    readonly stream: "stdout" | "stderr" | "system";
    readonly timeMs: number;
    readonly bytes: Buffer;
  }>;
}

export interface InstancesPort {
  /** Exactly one of uuid and name, matched exactly. */
  resolve(account: AccountId, reference: Reference): InstanceId;
  /** For people: uuid, name, or unambiguous uuid prefix of hex digits and hyphens. */
  resolveLoose(account: AccountId, text: string): InstanceId;
  create(
    account: AccountId,
    request: CreateInstanceRequest,
    waitMs: WaitMs,
    signal: AbortSignal,
  ): Promise<{ readonly instances: readonly Instance[]; readonly timedOut: boolean }>;
  list(account: AccountId, page: InstancePage): readonly Instance[];
  get(id: InstanceId): Instance;
  /** The checkpoints that its state came from, newest first. */
  history(id: InstanceId): readonly HistoryEntry[];
  /** Applies one change, or queues it when the instance must be stopped for it. */
  update(id: InstanceId, update: InstanceUpdate): Promise<void>;
  delete(
    id: InstanceId,
    waitMs: WaitMs,
    signal: AbortSignal,
  ): Promise<{
    readonly previousState: InstanceState;
    /** The wait ran out before it was gone; it will go all the same. */
    readonly timedOut?: boolean;
  }>;
  /** Wakes one that sleeps. */
  start(id: InstanceId, options: StartOptions, signal: AbortSignal): Promise<Transition>;
  /** Puts one that runs to sleep with its memory; harmless when it sleeps. */
  suspend(id: InstanceId, options: SuspendOptions, signal: AbortSignal): Promise<Transition>;
  stop(id: InstanceId, options: StopOptions, signal: AbortSignal): Promise<Transition>;
  kill(id: InstanceId, signalName: string): Promise<void>;
  wait(
    id: InstanceId,
    state: InstanceState,
    waitMs: WaitMs,
    signal: AbortSignal,
  ): Promise<{ readonly state: InstanceState; readonly timedOut: boolean }>;
  /** Resolves once the instance is not going to run again by itself, with its exit code (undefined: none known). */
  waitExit(
    id: InstanceId,
    signal: AbortSignal,
  ): Promise<{ readonly exitCode: number | undefined; readonly instance: Instance }>;
  log(id: InstanceId, offset: number, limit: number): Promise<LogWindow>;
  /** Whole lines with their stream and time; with `follow` it ends when the instance stops for good or `signal` aborts. */
  logLines(
    id: InstanceId,
    options: {
      readonly tail?: number | undefined;
      readonly follow: boolean;
      readonly sinceMs?: number | undefined;
      /** With `follow`: does not wait for the end of a line. */
      readonly partial?: boolean | undefined;
    },
    signal: AbortSignal,
  ): AsyncIterable<LogLine>;
  metrics(id: InstanceId): Promise<InstanceMetrics>;
  stats(id: InstanceId): Promise<VmStats>;
  /** Raw output from now on; ends when the instance stops. A reader that does not read holds nobody up. */
  attach(id: InstanceId, signal: AbortSignal): Promise<Duplex>;
  /**
   * Output from now on, or from the start that is asked for, until it stops for good; and the program's input, if it has one. Going
   * away ends neither. A terminal takes the client's size.
   */
  console(id: InstanceId, params: Omit<ConsoleParams, "id">, signal: AbortSignal): Promise<ConsoleSession>;
  exec(id: InstanceId, params: ExecParams, signal: AbortSignal): Promise<ExecSession>;
  /** A connection to a TCP port of it; one that sleeps is woken. The caller destroys it. */
  dial(id: InstanceId, port: number, signal: AbortSignal): Promise<Duplex>;
  /** A tar of the file or tree at `path`, named by its base name, as `docker cp` has it; running or stopped. */
  copyOut(id: InstanceId, path: string, signal: AbortSignal): Promise<Readable>;
  copyIn(
    id: InstanceId,
    params: CopyInParams,
    tar: Readable,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly entries: number }>;
}

export type SavedKind = "template" | "checkpoint";

export interface HistoryEntry {
  readonly uuid: string;
  readonly name: string;
  readonly created_at: string;
}

export interface NewCheckpoint {
  readonly from: InstanceId;
  /** Undefined: one is made of the instance's. */
  readonly name: string | undefined;
  readonly tags: readonly string[];
  readonly autokillMs: number;
}

/** Templates and checkpoints, and what is made of instances at one instant. References are matched exactly. */
export interface SnapshotsPort {
  list(account: AccountId, kind: SavedKind, page: InstancePage): readonly Instance[];
  get(account: AccountId, kind: SavedKind, reference: Reference): Instance;
  update(account: AccountId, kind: SavedKind, reference: Reference, update: SavedUpdate): Promise<Instance>;
  /** Instances that were made of it keep what they need. */
  delete(account: AccountId, kind: SavedKind, reference: Reference): Promise<Instance>;
  savedHistory(account: AccountId, reference: Reference): readonly HistoryEntry[];
  /** The instance ends, and is one no more. When the wait is over the answer is the instance, and the work goes on. */
  makeTemplate(
    id: InstanceId,
    options: { readonly autokillMs: number; readonly waitMs: WaitMs },
    signal: AbortSignal,
  ): Promise<Instance>;
  /** The instance goes on. When the wait is over the answer is a checkpoint that is `starting`, and the work goes on. */
  saveCheckpoint(wanted: NewCheckpoint, waitMs: WaitMs, signal: AbortSignal): Promise<Instance>;
  /** All at one instant; they go on. */
  saveCheckpoints(wanted: readonly NewCheckpoint[], signal: AbortSignal): Promise<readonly Instance[]>;
  /** Copies of instances at one instant; these go on. Resolves when those that are to start run. */
  branch(
    account: AccountId,
    wanted: readonly {
      readonly of: InstanceId;
      readonly request: Pick<CreateInstanceRequest, "name" | "autostart">;
    }[],
    signal: AbortSignal,
  ): Promise<readonly Instance[]>;
  /** All machines end before the first goes on. Resolves when all run. */
  rewind(
    account: AccountId,
    wanted: readonly { readonly instance: InstanceId; readonly checkpoint: Reference }[],
  ): Promise<readonly Instance[]>;
}

/** References are matched exactly; one outside the account is `not_found`. */
export interface ServicesPort {
  create(account: AccountId, request: CreateServiceGroupRequest): Promise<ServiceGroup>;
  list(account: AccountId, page: Page): readonly ServiceGroup[];
  get(account: AccountId, reference: Reference): ServiceGroup;
  /** All of them or none. */
  update(
    account: AccountId,
    reference: Reference,
    updates: readonly ServiceGroupUpdate[],
  ): Promise<ServiceGroup>;
  delete(account: AccountId, reference: Reference): Promise<ServiceGroup>;
}

interface Identity {
  readonly uuid: string;
  readonly name: string;
}

/** Service groups whose members follow their load. References are matched exactly. */
export interface AutoscalePort {
  /** Those that scale. */
  list(account: AccountId): readonly AutoscaleGroup[];
  get(account: AccountId, reference: Reference): AutoscaleGroup;
  /** In place of what was there. */
  set(
    account: AccountId,
    reference: Reference,
    request: SetAutoscaleBody,
    madeOf: { readonly template: Reference; readonly roms: readonly RomPart[] },
  ): Promise<Identity>;
  /** Members that were made go, after they had time to finish what they have. */
  delete(account: AccountId, reference: Reference): Promise<Identity>;
  addPolicy(account: AccountId, reference: Reference, policy: ScalePolicy): Promise<Identity>;
  deletePolicy(account: AccountId, reference: Reference, name: string): Promise<Identity>;
}

export interface CertificatesPort {
  create(
    account: AccountId,
    request: CreateCertificateRequest & { readonly common_name: string },
  ): Promise<Certificate>;
  list(account: AccountId, page: Page): readonly Certificate[];
  get(account: AccountId, reference: Reference): Certificate;
  update(
    account: AccountId,
    reference: Reference,
    material: Pick<UpdateCertificatesItem, "chain" | "pkey">,
  ): Promise<Certificate>;
  /** Has an authority issue it now; resolves once that is under way. */
  renew(account: AccountId, reference: Reference): Promise<Certificate>;
  delete(account: AccountId, reference: Reference): Promise<Certificate>;
}

/** The authority of this installation; it is made when it is first asked for. */
export interface LocalCaPort {
  info(): Promise<CaInfo>;
  /** Puts its certificate among those that this machine trusts; says where. */
  trust(): Promise<{ readonly path: string }>;
}

export interface KernelsPort {
  list(): Promise<readonly KernelInfo[]>;
  use(version: string): Promise<KernelInfo>;
  check(): Promise<{
    readonly installed: string | undefined;
    readonly latest: string;
    readonly updateAvailable: boolean;
  }>;
  update(onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<KernelInfo>;
  build(onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<KernelInfo>;
  remove(version: string): Promise<void>;
}

export interface NodePort {
  info(): Promise<DaemonInfo>;
  diskUsage(): Promise<DiskUsage>;
  doctor(signal: AbortSignal): Promise<DoctorReport>;
  healthz(): Promise<HealthzData>;
  quotas(account: AccountId): Quotas;
  figures(): Promise<readonly NodeFigure[]>;
  metros(): readonly Metro[];
  events(account: AccountId, signal: AbortSignal): AsyncIterable<DaemonEvent>;
  /** Ends the daemon after the answer; `stopInstances` stops all instances first, else they go on. */
  shutdown(stopInstances: boolean): void;
}

/** Who a bearer token belongs to; undefined: nobody. */
export type Authenticate = (token: string) => AccountId | undefined;

export interface ApiDependencies {
  readonly instances: InstancesPort;
  readonly snapshots: SnapshotsPort;
  readonly images: ImagesPort;
  readonly registries: RegistriesPort;
  readonly services: ServicesPort;
  readonly autoscale: AutoscalePort;
  readonly certificates: CertificatesPort;
  readonly localCa: LocalCaPort;
  readonly kernels: KernelsPort;
  readonly node: NodePort;
  readonly authenticate: Authenticate;
  /** The account that requests on the unix socket act for. */
  readonly socketAccount: AccountId;
}
