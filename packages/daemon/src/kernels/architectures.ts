import { UniError } from "@uni/contract/errors";

/** The only place of this room that knows machine architectures. */
export interface Architecture {
  /** Depends on the distribution's newest kernel image. */
  readonly imagePackage: string;
  /** Depends on the distribution's newest kernel source. */
  readonly sourcePackage: string;
  /** What the VMM boots: an ELF with a PVH entry, or the kernel's own flat format. */
  readonly format: "elf" | "image";
  /** The kernel build's name for it (ARCH=). */
  readonly make: string;
  /** Target of the kernel build, and where its result lies. */
  readonly target: string;
  readonly result: string;
}

const architectures: Readonly<Record<string, Architecture>> = {
  x64: {
    imagePackage: "linux-image-cloud-amd64",
    sourcePackage: "linux-source",
    format: "elf",
    make: "x86_64",
    target: "vmlinux",
    result: "vmlinux",
  },
  arm64: {
    imagePackage: "linux-image-cloud-arm64",
    sourcePackage: "linux-source",
    format: "image",
    make: "arm64",
    target: "Image",
    result: "arch/arm64/boot/Image",
  },
};

export function architectureOf(name: string = process.arch): Architecture {
  const architecture = architectures[name];
  if (architecture) return architecture;
  throw new UniError("host_unfit", `find a kernel: the architecture ${name} is not known`, {
    hint: `Known are ${Object.keys(architectures).join(", ")}.`,
  });
}
