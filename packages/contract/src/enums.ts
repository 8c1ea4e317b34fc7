/** The closed sets of words on the wire. Each is a list, for checks and help texts, and the union of its literals. */

export const instanceStates = [
  "stopped",
  "starting",
  "running",
  "draining",
  "stopping",
  "template",
  "standby",
  "deleted",
  "checkpoint",
] as const;
export type InstanceState = (typeof instanceStates)[number];

export const restartPolicies = ["never", "always", "on-failure"] as const;
export type InstanceRestartPolicy = (typeof restartPolicies)[number];

export const instanceFeatures = ["delete-on-stop", "nested-virt"] as const;
export type InstanceFeature = (typeof instanceFeatures)[number];

export const instanceTypes = ["micro", "full"] as const;
export type InstanceType = (typeof instanceTypes)[number];

export const scaleToZeroPolicies = ["off", "on", "idle"] as const;
export type ScaleToZeroPolicy = (typeof scaleToZeroPolicies)[number];

export const sleepTiers = ["paused", "disk", "off"] as const;
/** Uni: how deep an instance in standby sleeps. "off": nothing is kept, waking is a start. */
export type SleepTier = (typeof sleepTiers)[number];

export const schedPriorities = ["normal", "medium", "high", "admin"] as const;
export type SchedPriority = (typeof schedPriorities)[number];

export const scheduleActions = ["start", "stop", "delete", "exec", "checkpoint"] as const;
export type ScheduleAction = (typeof scheduleActions)[number];

export const pullPolicies = ["always", "if_not_present", "never"] as const;
export type PullPolicy = (typeof pullPolicies)[number];

export const protocols = ["tcp", "udp"] as const;
export type Protocol = (typeof protocols)[number];

export const connectionHandlers = ["tls", "http", "redirect", "proxy"] as const;
export type ConnectionHandler = (typeof connectionHandlers)[number];

export const volumeAccessModes = ["rwo", "rox", "rwx"] as const;
export type VolumeAccessMode = (typeof volumeAccessModes)[number];

export const inlineDataEncodings = ["text", "base64"] as const;
export type InlineDataEncoding = (typeof inlineDataEncodings)[number];

export const accelerators = ["kvm", "tcg"] as const;
/** "tcg" is emulation: correct, slow, and no isolation boundary. */
export type Accelerator = (typeof accelerators)[number];

export const healthStates = ["unknown", "healthy", "degraded"] as const;
export type HealthState = (typeof healthStates)[number];

export const mutableInstanceProperties = [
  "image",
  "args",
  "env",
  "memory_mb",
  "vcpus",
  "scale_to_zero",
  "tags",
  "delete_lock",
  "schedules",
  "autokill",
  "hostname",
  "roms",
  "dependencies",
  "sched_priority",
  "plugins",
  "annotations",
  "ports",
] as const;
export type MutableInstanceProperty = (typeof mutableInstanceProperties)[number];

export const mutableOperations = ["set", "add", "del"] as const;
export type MutableOperation = (typeof mutableOperations)[number];

export const pendingUpdateStatuses = ["pending", "failed"] as const;
export type PendingUpdateStatus = (typeof pendingUpdateStatuses)[number];

export const responseStatuses = ["success", "error", "partial_success"] as const;
export type ResponseStatus = (typeof responseStatuses)[number];

export const paginationOrders = ["asc", "desc"] as const;
export type PaginationOrder = (typeof paginationOrders)[number];

export const logStreams = ["stdout", "stderr", "system"] as const;
/** "system" is what Uni itself says about the instance. */
export type LogStream = (typeof logStreams)[number];

export const mutableServiceGroupProperties = [
  "services",
  "domains",
  "soft_limit",
  "hard_limit",
  "autokill",
] as const;
export type MutableServiceGroupProperty = (typeof mutableServiceGroupProperties)[number];

/** pending: being asked for; error: it cannot be used. */
export const certificateStates = ["pending", "valid", "error"] as const;
export type CertificateState = (typeof certificateStates)[number];

export const mutableSavedProperties = ["tags", "delete_lock", "autokill"] as const;
export type MutableSavedProperty = (typeof mutableSavedProperties)[number];

export const diskUsageKinds = [
  "images",
  "image_layers",
  "downloads",
  "uploads",
  "builds",
  "boot",
  "instances",
  "sleepers",
  "logs",
  "layers",
  "snapshots",
  "roms",
] as const;
/**
 * What takes room on the disk. images: their root file systems; image_layers: with configs and manifests; downloads: what a
 * pull that was cut off has so far; uploads: what is being pushed here; builds: caches and work in progress; boot: booted kernels to start from; instances: writable disks; layers: disks that several
 * share; snapshots: memory of templates, checkpoints and branches; roms: those made of files.
 */
export type DiskUsageKind = (typeof diskUsageKinds)[number];

/** Of a pinned image. pending: it is on its way here. */
export const imageStates = ["pending", "ready"] as const;
export type ImageState = (typeof imageStates)[number];

export const scalePolicyTypes = ["step", "on_demand", "create", "idle"] as const;
/**
 * on_demand: a member more when none is free; create: a member more, or in place of one, for one that has served so many
 * requests; idle: a member less when it had no request for a time.
 */
export type ScalePolicyType = (typeof scalePolicyTypes)[number];

export const scaleMetrics = ["cpu", "inflight_reqs", "reqs_per_sec"] as const;
/** Of one member on average. cpu: thousandths of a processor. */
export type ScaleMetric = (typeof scaleMetrics)[number];

export const scaleAdjustments = ["change", "exact", "percent", "percentage"] as const;
/** "percentage" is what older clients call "percent". */
export type ScaleAdjustment = (typeof scaleAdjustments)[number];
