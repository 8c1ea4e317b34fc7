/** The driver asks this table; a new architecture is a new file and one line here. */
import { UniError } from "@uni/contract/errors";
import { x86Sixtyfour } from "./x86-64.ts";

export type RealAccelerator = "kvm" | "tcg";

export interface HostFacts {
  /** Where the native programs are. */
  readonly nativeDirectory: string;
  /** Keeps a measured number: the answer is the one kept earlier if both are nearly the same, so that snapshots stay good. */
  readonly remember: (name: string, measured: number) => Promise<number>;
}

export interface QemuArchitecture {
  readonly program: string;
  /** Debian's package of it. */
  readonly package: string;
  /** Machine type and its options. */
  readonly machine: readonly string[];
  readonly cpu: Readonly<Record<RealAccelerator, string>>;
  kernelArguments(accelerator: RealAccelerator, host: HostFacts): Promise<readonly string[]>;
  /** Text that differs between processors whose snapshots differ under KVM. */
  hostCpu(): Promise<string>;
}

const architectures: Readonly<Partial<Record<NodeJS.Architecture, QemuArchitecture>>> = { x64: x86Sixtyfour };

export function hostArchitecture(): QemuArchitecture {
  const known = architectures[process.arch];
  if (known) return known;
  throw new UniError("host_unfit", `prepare QEMU for ${process.arch}: this processor is not supported yet`);
}
