/** What a Kraftfile says, in the words of versions 0.6 and 0.7. Paths are as they are written. */
export const sourceTypes = ["dockerfile", "dir", "file", "tarball", "cpio", "erofs", "oci"] as const;
export type SourceType = (typeof sourceTypes)[number];

export const formats = ["cpio", "erofs"] as const;

/** A root file system or a ROM. */
export interface Filesystem {
  readonly path: string;
  readonly type?: SourceType;
  readonly dockerfile?: string;
  readonly format?: (typeof formats)[number];
  /** For errors about what the path leads to. */
  readonly error: (
    reason: string,
    hint?: string,
    code?: "malformed" | "not_found" | "not_supported",
  ) => Error;
}

export interface Rom extends Filesystem {
  readonly name?: string;
}

export interface Target {
  readonly platform: string;
  /** As images name it. */
  readonly architecture: string;
}

export interface Kraftfile {
  readonly path: string;
  readonly name?: string;
  /** Reference of an image. */
  readonly runtime?: string;
  readonly rootfs?: Filesystem;
  readonly roms: readonly Rom[];
  readonly cmd?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly targets: readonly Target[];
  /** What was read and has no effect. */
  readonly notes: readonly string[];
}
