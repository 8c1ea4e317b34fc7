/** QEMU's arguments. One function makes those of a boot and of a restore, so that both have the same devices in the same order. */
import type { MachineShape, MachineSpec } from "../port.ts";
import type { QemuArchitecture, RealAccelerator } from "./architecture.ts";

export interface MachineFiles {
  readonly qmp: string;
  readonly agent: string;
  /** More monitors, by their names. */
  readonly ahead?: Readonly<Record<string, string>>;
}

export interface Boot {
  readonly kind: "boot";
  readonly ramPath: string;
  readonly kernelPath: string;
  readonly initramfsPath: string;
  readonly kernelArguments: readonly string[];
}

export interface Restore {
  readonly kind: "restore";
  /** Immutable, shared by all machines of the snapshot. */
  readonly ramPath: string;
  readonly stateDescriptor: number;
  readonly tapDescriptor: number;
  readonly spec: Pick<MachineSpec, "root" | "writable" | "network" | "roms">;
  /** Of all ROM disks. Those that the snapshot knows and the machine has not are empty: QEMU loads no state of what is not there. */
  readonly romSlots: readonly number[];
  /** What the writable disk stands on, from the top down; the last one is raw. */
  readonly backing: readonly string[];
}

export interface CommandLineInput {
  readonly architecture: QemuArchitecture;
  readonly accelerator: RealAccelerator;
  readonly shape: MachineShape;
  /** Shown in the process list. */
  readonly name: string;
  readonly files: MachineFiles;
  readonly from: Boot | Restore;
}

/** Part of every snapshot's key: to be raised when devices, their order or what is in their state change. */
export const layoutVersion = 4;

/** In a boot snapshot, where no network is yet; a restore writes the machine's own over it. */
export const placeholderMac = "02:75:6e:69:5f:6d";

export const consoleBytes = 64 << 10;

/**
 * Bound of TCG's buffer for translated code, MiB. QEMU would let it grow to an eighth of the host's memory; a buffer
 * that runs full is emptied and filled again.
 */
const translationBufferMb = 64;

/** A comma inside an option's value is written twice (qemu-system(1)). */
const value = (text: string): string => text.replaceAll(",", ",,");

/**
 * What a guest makes of each queue over virtio-mmio, whatever its device was told (VIRTIO_MMIO_QUEUE_NUM_MAX in
 * hw/virtio/virtio-mmio.c). Of a device with another size, QEMU saves and loads the sizes of all 1024 queues that there could be.
 */
const queueSize = 1024;

const listening = (id: string, path: string): string =>
  `socket,id=${id},path=${value(path)},server=on,wait=off`;

/** Its path makes this argument one of its own among all processes. */
export const qmpChardev = (path: string): string => listening("qmp", path);

export function commandLine(input: CommandLineInput): string[] {
  const { architecture, accelerator, shape, name, files, from } = input;
  return [
    ...["-name", value(name)],
    ...["-machine", [...architecture.machine, "memory-backend=ram", "suppress-vmdesc=on"].join(",")],
    ...["-accel", acceleratorOption(accelerator, shape)],
    ...["-cpu", architecture.cpu[accelerator], "-smp", `${shape.vcpus}`, "-m", `${shape.memoryMb}M`],
    ...["-object", ram(shape, from)],
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    // A guest that halts, resets or panics leaves the process behind, paused.
    ...["-no-reboot", "-action", "reboot=shutdown,shutdown=pause,panic=pause,watchdog=pause"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    // Streams are written by xen-save-devices-state, which leaves the configuration section out.
    ...["-global", "migration.send-configuration=off"],
    // After a restore QEMU would have the guest's network card announce itself, five times within half a second. The host
    // knows where each address is, and under TCG each time is some 800 blocks of the guest's code. See `guest_announce` too.
    ...["-global", "migration.announce-rounds=0"],
    ...["-chardev", `ringbuf,id=console,size=${consoleBytes}`, "-serial", "chardev:console"],
    ...["-device", "virtio-serial-device"],
    ...["-chardev", listening("agent", files.agent)],
    ...["-device", "virtserialport,chardev=agent,name=uni.agent"],
    ...disks(from),
    ...network(from),
    ...["-device", `virtio-scsi-device,id=roms,virtqueue_size=${queueSize}`],
    ...(from.kind === "boot" ? [] : roms(from)),
    ...["-chardev", qmpChardev(files.qmp)],
    ...["-mon", "chardev=qmp,mode=control"],
    ...Object.entries(files.ahead ?? {}).flatMap(([id, path]) => [
      ...["-chardev", listening(id, path), "-mon", `chardev=${id},mode=control`],
    ]),
    ...(from.kind === "boot" ? kernel(from) : ["-incoming", `fd:${from.stateDescriptor}`, "-S"]),
  ];
}

/** Path of the device of the writable disk: it is the fourth that has no id. */
export const writableDevice = "/machine/peripheral-anon/device[3]";

function acceleratorOption(accelerator: RealAccelerator, { vcpus }: MachineShape): string {
  if (accelerator === "kvm") return "kvm";
  return `tcg,thread=${vcpus > 1 ? "multi" : "single"},tb-size=${translationBufferMb}`;
}

function ram({ memoryMb }: MachineShape, from: Boot | Restore): string {
  const share = from.kind === "boot" ? "on" : "off";
  return `memory-backend-file,id=ram,size=${memoryMb}M,mem-path=${value(from.ramPath)},share=${share},reserve=off,dump=off`;
}

function disks(from: Boot | Restore): string[] {
  const [root, writable] = from.kind === "boot" ? placeholderDisks : realDisks(from);
  const disk = `virtio-blk-device,queue-size=${queueSize}`;
  return [
    ...["-blockdev", root, "-device", `${disk},drive=root`],
    // A host disk that is full pauses the machine instead of failing the guest's writes, which would end in a file
    // system with errors; the driver resumes it from time to time. Other errors go to the guest.
    ...["-blockdev", writable, "-device", `${disk},drive=writable,werror=enospc,rerror=report`],
  ];
}

const placeholderDisks = [
  "driver=null-co,node-name=root,size=1048576,read-zeroes=on,read-only=on",
  "driver=null-co,node-name=writable,size=1048576,read-zeroes=on,discard=unmap",
] as const;

function realDisks({ spec, backing }: Restore): readonly [string, string] {
  const { root, writable } = spec;
  return [
    // Never written by anyone, so nothing to lock.
    `driver=${root.format},node-name=root,read-only=on,file.driver=file,file.filename=${value(root.path)},file.locking=off`,
    [
      `driver=${writable.format},node-name=writable,discard=unmap,detect-zeroes=unmap`,
      `file.driver=file,file.filename=${value(writable.path)},file.discard=unmap`,
      // Two machines can never write one disk: the second ends at once.
      "file.locking=on",
      ...backing.flatMap(backingOptions),
    ].join(","),
  ];
}

/** Never written any more, so nothing to lock: the machine that wrote it may still have it open for writing. */
function backingOptions(path: string, depth: number, all: readonly string[]): string[] {
  const option = "backing.".repeat(depth + 1);
  return [
    `${option}driver=${depth === all.length - 1 ? "raw" : "qcow2"},${option}read-only=on`,
    `${option}file.driver=file,${option}file.filename=${value(path)},${option}file.locking=off`,
  ];
}

function network(from: Boot | Restore): string[] {
  // A hub without other ports is a network that is not there. Offloads of the TAP that a restore brings are seen by
  // the guest's driver, which is bound after it.
  const [backend, mac] =
    from.kind === "boot"
      ? ["hubport,id=net,hubid=0", placeholderMac]
      : [`tap,id=net,fd=${from.tapDescriptor},vhost=off`, from.spec.network.mac];
  // A card that could announce itself loses its timer after the last time, and then QEMU when its driver is bound anew
  // (virtio_net_reset in hw/net/virtio-net.c).
  return ["-netdev", backend, "-device", `virtio-net-device,netdev=net,mac=${mac},guest_announce=off`];
}

function roms({ spec, romSlots }: Restore): string[] {
  const paths = new Map(spec.roms.map(({ slot, path }) => [slot, path]));
  return romSlots.flatMap((slot) => {
    const path = paths.get(slot);
    const drive =
      path === undefined
        ? `driver=null-co,node-name=rom${slot},size=1048576,read-zeroes=on,read-only=on`
        : `driver=raw,node-name=rom${slot},read-only=on,file.driver=file,file.filename=${value(path)},file.locking=off`;
    const device = `scsi-hd,bus=roms.0,scsi-id=0,lun=${slot},drive=rom${slot},serial=rom${slot}`;
    return ["-blockdev", drive, "-device", device];
  });
}

function kernel({ kernelPath, initramfsPath, kernelArguments }: Boot): string[] {
  return ["-kernel", kernelPath, "-initrd", initramfsPath, "-append", kernelArguments.join(" ")];
}
