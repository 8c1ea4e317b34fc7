/** An instance as the wire shows it. */
import type { Accelerator, MutableInstanceProperty } from "@uni/contract/enums";
import type { Instance } from "@uni/contract/resources/instance";
import type { InstanceRecord, InstanceSpec, ScaleToZero } from "./record.ts";
import type { Rom } from "./roms.ts";

export interface ViewContext {
  readonly now: number;
  readonly serviceGroup?: Instance["service_group"];
  readonly gateway: string;
  readonly namesFor: (address: string) => { readonly mac: string; readonly tap: string };
}

export function viewInstance(record: InstanceRecord, context: ViewContext): Instance {
  const { spec, status } = record;
  const { mac, tap } = context.namesFor(record.address);
  const live = status.state !== "stopped" && status.state !== "standby";
  const running = live && status.startedAt !== null ? context.now - status.startedAt : 0;
  return {
    uuid: record.id,
    name: record.name,
    created_at: iso(record.createdAt),
    state: status.state,
    private_fqdn: `${record.name}.internal`,
    private_ip: record.address,
    gateway: context.gateway,
    nameserver: spec.nameserver ?? undefined,
    ...viewProgram(spec),
    start_count: status.startCount,
    restart_count: status.restartCount,
    started_at: optionalIso(status.startedAt),
    stopped_at: live ? undefined : optionalIso(status.stoppedAt),
    uptime_ms: Math.max(0, status.uptimeMs + running),
    boot_time_us: status.bootTimeUs ?? undefined,
    net_time_us: status.netTimeUs ?? undefined,
    vmm_start_time_us: status.vmmStartUs ?? undefined,
    vmm_load_time_us: status.vmmLoadUs ?? undefined,
    vmm_ready_time_us: status.vmmReadyUs ?? undefined,
    stop_reason: status.stopReason ?? undefined,
    exit_code: status.exitCode ?? undefined,
    stop_code: status.stopCode ?? undefined,
    exit_reason: status.exitReason ?? undefined,
    restart_policy: spec.restartPolicy,
    restart_max_retries: spec.restartLimit ?? undefined,
    restart:
      status.restart === null
        ? undefined
        : { attempt: status.restart.attempt, next_at: optionalIso(status.restart.nextAt) },
    scale_to_zero: spec.scaleToZero === null ? undefined : viewScaleToZero(spec.scaleToZero),
    sleep:
      status.state !== "standby" || status.sleep === null
        ? undefined
        : { tier: status.sleep.tier, since: iso(status.sleep.since) },
    network_interfaces: [
      { uuid: record.id, name: `${record.name}-eth0`, private_ip: record.address, mac, tap_name: tap },
    ],
    service_group: context.serviceGroup,
    roms: romsOf(spec),
    tags: [...spec.tags],
    annotations: { ...spec.annotations },
    delete_lock: spec.deleteLock,
    features: [...spec.features],
    updates: status.updates.length === 0 ? undefined : status.updates.map(viewUpdate),
    type: "micro",
    hostname: spec.hostname ?? undefined,
    grace_period_s: Math.round(spec.gracePeriodMs / 1000),
    ports: spec.ports.map((port) => ({
      host_address: port.hostAddress,
      host_port: port.hostPort,
      guest_port: port.guestPort,
      protocol: port.protocol,
    })),
    accelerator: (status.accelerator ?? undefined) as Accelerator | undefined,
    kernel: status.kernel ?? undefined,
  };
}

/** What it is made of, which a template or checkpoint of it keeps. */
export const viewProgram = (spec: InstanceSpec) => ({
  image: resolvedReference(spec),
  image_ref: spec.imageReference,
  memory_mb: spec.memoryMb,
  vcpus: spec.vcpus,
  args: spec.args === null ? undefined : [...spec.args],
  entrypoint: spec.entrypoint === null ? undefined : [...spec.entrypoint],
  env: { ...spec.env },
  user: spec.user ?? undefined,
  working_directory: spec.workingDirectory ?? undefined,
  tty: spec.tty || undefined,
  stdin_open: spec.stdinOpen || undefined,
});

/** With the digest, once that is known. */
const resolvedReference = ({
  imageReference,
  imageDigest,
}: Pick<InstanceSpec, "imageReference" | "imageDigest">): string =>
  imageDigest === null ? imageReference : `${imageReference.split("@")[0]}@${imageDigest}`;

function romsOf({ roms, media }: InstanceSpec): Instance["roms"] {
  const missing = (media?.roms ?? []).map(({ name, at, reference }) => ({
    name,
    ...(at === null ? {} : { at }),
    image: reference,
  }));
  const all = [...viewRoms(roms), ...missing];
  return all.length === 0 ? undefined : all;
}

/** Without the content of files, which may be 8 MiB. */
export const viewRoms = (roms: readonly Rom[]): NonNullable<Instance["roms"]> =>
  roms.map(({ name, at, source, content }) => ({
    name,
    ...(at === null ? {} : { at }),
    ...("image" in source
      ? { image: `${source.image.split("@")[0]}@${content.slice("image:".length)}` }
      : { files: source.files.map(({ path, bytes }) => ({ path, size_bytes: bytes })) }),
  }));

const viewScaleToZero = (setting: ScaleToZero) => ({
  enabled: setting.policy !== "off",
  policy: setting.policy,
  stateful: setting.stateful,
  cooldown_time_ms: setting.cooldownMs,
  notify_time_ms: setting.notifyMs,
});

const viewUpdate = (update: InstanceRecord["status"]["updates"][number]) => ({
  prop: update.prop as MutableInstanceProperty,
  op: update.op,
  value:
    update.prop === "roms" && update.op !== "del" ? viewRoms(update.value as readonly Rom[]) : update.value,
  status: update.status,
  error: update.error,
});

const iso = (ms: number): string => new Date(ms).toISOString();
const optionalIso = (ms: number | null): string | undefined => (ms === null ? undefined : iso(ms));
