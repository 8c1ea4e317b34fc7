/** What the kernels room gives out. `BootFiles` has the shape of the VMM's; rooms of one row do not import each other. */

export type Flavour = "distribution" | "lean";

/** What `bundle.json` holds: written last, so a directory without it is not a bundle. */
export interface Bundle {
  readonly version: string;
  readonly flavour: Flavour;
  /** sha256 over the names, sizes and contents of all files but `bundle.json`. */
  readonly digest: string;
  readonly createdAt: string;
  /** Package and version it came from. */
  readonly source: string;
  /** Modules that were asked for when it was made; bundles of an older Uni do not say. */
  readonly modules?: readonly string[];
}

export interface Kernel extends Bundle {
  /** New starts boot it. */
  readonly selected: boolean;
  readonly sizeBytes: number;
}

export interface BootFiles {
  /** sha256 over kernel and initramfs, 64 hex digits. */
  readonly id: string;
  readonly kernelPath: string;
  readonly initramfsPath: string;
}

export interface KernelProgress {
  /** "check", "download", "unpack", "kernel", "modules", "configure", "compile", "bundle". */
  readonly step: string;
  readonly message: string;
  readonly current?: number;
  readonly total?: number;
}

export type OnProgress = (progress: KernelProgress) => void;

export interface KernelCheck {
  /** The newest distribution kernel in the cache. */
  readonly installed: string | undefined;
  readonly latest: string;
  readonly updateAvailable: boolean;
}
