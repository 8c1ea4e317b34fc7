/**
 * What the people-methods on the unix socket answer, and what their frames carry. Line protocol: one JSON-RPC 2.0 object
 * per line; see rpc-methods.ts for the table and stream-frames.ts for what follows a reply that opened a stream.
 */
import type {
  Accelerator,
  DiskUsageKind,
  HealthState,
  InstanceState,
  LogStream,
  SleepTier,
} from "./enums.ts";
import type { Instance } from "./resources/instance.ts";
import type { PortMapping } from "./resources/port-mapping.ts";

export type {
  BranchParams,
  BuildParams,
  CheckpointParams,
  CopyInParams,
  ExecParams,
  LoginParams,
  PullParams,
  PushParams,
  RewindParams,
  RunParams,
  SaveParams,
} from "./rpc-params.ts";

/** One instance as `uni ps` shows it. */
export interface VmInfo {
  readonly id: string;
  readonly name: string;
  readonly state: InstanceState;
  /** As it was asked for. */
  readonly image: string;
  readonly created_at: string;
  readonly started_at?: string;
  readonly stopped_at?: string;
  readonly exit_code?: number;
  readonly exit_reason?: string;
  /** When it is started again by its restart policy. */
  readonly restart_at?: string;
  readonly ip: string;
  readonly ports: readonly PortMapping[];
  /** MiB */
  readonly memory: number;
  readonly vcpus: number;
  readonly accelerator?: Accelerator;
  readonly health?: HealthState;
  readonly restart_count: number;
  /** Only in state standby. */
  readonly sleep?: { readonly tier: SleepTier; readonly since: string };
}

/** Everything that is known of an instance. */
export type VmDetail = Instance & {
  readonly id: string;
  readonly ip: string;
  readonly ports: readonly PortMapping[];
  readonly memory: number;
  readonly cpus: number;
};

/** A template or a checkpoint in short. */
export interface SavedInfo {
  readonly id: string;
  readonly name: string;
  readonly state: InstanceState;
  readonly created_at: string;
  readonly image: string;
  /** MiB */
  readonly memory: number;
  readonly vcpus: number;
}

/** Bytes as the host's file system has allocated them; what several share is counted once. */
export interface DiskUsage {
  readonly kinds: readonly {
    readonly kind: DiskUsageKind;
    readonly count: number;
    readonly bytes: number;
    /** Of these, what several images have in common. */
    readonly shared_bytes?: number;
    /** Of these, what `uni prune` would free. */
    readonly reclaimable_bytes?: number;
  }[];
  readonly total_bytes: number;
}

export interface VmStats {
  readonly id: string;
  readonly name: string;
  readonly state: InstanceState;
  /** Percent of one host processor since the last question, or since the start. */
  readonly cpu_pct: number;
  readonly cpu_time_ms: number;
  /** Host memory of the VMM process. */
  readonly rss_bytes: number;
  /** Memory in use in the guest; absent when the agent cannot be asked. */
  readonly mem_bytes?: number;
  readonly mem_limit_bytes: number;
  readonly disk_bytes?: number;
  readonly net_rx_bytes: number;
  readonly net_tx_bytes: number;
  readonly processes?: number;
  readonly timestamp: string;
  /** Where memory and disk figures come from. */
  readonly source: "guest" | "host";
}

export interface LogLine {
  /** RFC 3339 */
  readonly time: string;
  readonly stream: LogStream;
  /** Without its line end. */
  readonly line: string;
  /** Its bytes, where they are not UTF-8 and `line` has replacement characters for them. */
  readonly base64?: string;
  /** No line end followed (yet): it is the part of a very long line, the last one, or what is there so far. */
  readonly unended?: true;
}

export interface ExecResult {
  /** 128 + signal when killed. */
  readonly exit_code: number;
}

export interface Progress {
  /** Short name of what is going on. */
  readonly step: string;
  /** Digest of the layer, where several are on their way at once. */
  readonly layer?: string;
  readonly message: string;
  readonly current?: number;
  readonly total?: number;
}

export interface ImageDetail {
  readonly digest: string;
  /** `name:tag` references that point at it. */
  readonly references: readonly string[];
  readonly created_at: string;
  readonly size_bytes: number;
  readonly architecture: string;
  readonly config: {
    readonly entrypoint: readonly string[];
    readonly cmd: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly user: string;
    readonly working_directory: string;
    readonly exposed_ports: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
    readonly stop_signal: string;
  };
  /** Names of the instances that use it. */
  readonly used_by?: readonly string[];
}

/** A step of an image's making. */
export interface ImageLayer {
  /** Absent where the image does not say. */
  readonly created_at?: string;
  readonly created_by?: string;
  readonly comment?: string;
  /** Absent for a step that changed no file. */
  readonly digest?: string;
  /** Bytes as they are kept. */
  readonly size_bytes: number;
}

/** One name in an image. */
export interface ImageFile {
  /** Relative to the directory that was asked for. */
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink" | "char" | "block" | "fifo" | "socket";
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly size_bytes: number;
  readonly modified_at: string;
  /** Of a symbolic link. */
  readonly target?: string;
  /** Of a device. */
  readonly major?: number;
  readonly minor?: number;
}

/** A name in this machine's registry. */
export interface FoundRepository {
  readonly name: string;
  /** The first hundred, sorted. */
  readonly tags: readonly string[];
  readonly tag_count: number;
  /** As an image of it says of itself. */
  readonly description?: string;
}

export interface RegistryInfo {
  readonly registry: string;
  readonly username: string;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface KernelInfo {
  readonly version: string;
  /** Digest of the bundle's files. */
  readonly id: string;
  /** "distribution": the distribution's package; "lean": built here with Uni's configuration. */
  readonly source: "distribution" | "lean";
  readonly architecture: string;
  readonly size_bytes: number;
  readonly installed_at: string;
  /** New instances boot it. */
  readonly current: boolean;
  /** Names of the instances that booted it. */
  readonly used_by?: readonly string[];
}

export interface KernelCheck {
  readonly installed: string | undefined;
  readonly latest: string;
  readonly update_available: boolean;
}

/** The authority that signs the names of this installation. */
export interface CaInfo {
  /** Names below it get a certificate from it. */
  readonly domain: string;
  readonly subject: string;
  /** SHA-256 of the certificate, upper-case hex with colons. */
  readonly fingerprint: string;
  readonly not_after: string;
  /** PEM */
  readonly certificate: string;
}

export interface DaemonInfo {
  readonly version: string;
  readonly pid: number;
  readonly started_at: string;
  readonly data_dir: string;
  readonly socket: string;
  /** host:port of the REST API; absent when it is off. */
  readonly listen?: string;
  readonly accelerator: Accelerator;
  /** Why KVM is not used. */
  readonly accelerator_reason?: string;
  readonly vmm: { readonly name: string; readonly version: string };
  /** Version that new instances boot. */
  readonly kernel?: string;
  readonly host: {
    readonly architecture: string;
    readonly kernel: string;
    readonly cpus: number;
    readonly memory_mb: number;
  };
  readonly network: { readonly pool: string; readonly gateway: string };
  readonly instances: { readonly total: number; readonly running: number };
  readonly images: number;
  /** Images without a host in their name come from it. */
  readonly default_registry: string;
}

export interface DoctorCheck {
  readonly name: string;
  readonly status: "ok" | "warning" | "failed";
  readonly message: string;
  readonly hint?: string;
}

export interface DoctorReport {
  /** No check failed. */
  readonly healthy: boolean;
  readonly checks: readonly DoctorCheck[];
}

export interface DaemonEvent {
  /** RFC 3339 */
  readonly time: string;
  /** "gap": the listener was too slow and `dropped` events were left out. */
  readonly type: "created" | "state" | "updated" | "deleted" | "oom" | "exited" | "gap";
  readonly id?: string;
  readonly name?: string;
  readonly state?: InstanceState;
  readonly previous_state?: InstanceState;
  readonly exit_code?: number;
  readonly message?: string;
  readonly dropped?: number;
}

export interface StatusOk {
  readonly status: "ok";
}

/** Reply that says: frames (or, for VM.Attach, raw bytes) follow on this connection. */
export interface StreamOpened {
  readonly stream: true;
}
