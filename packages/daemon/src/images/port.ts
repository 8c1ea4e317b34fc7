/** Container images as Uni sees them: a config and one read-only EROFS root, both found by digest. */
import type { Readable } from "node:stream";
import type { PullPolicy } from "@uni/contract/enums";
import type { AccountId, Digest } from "@uni/contract/ids";
import type { FoundRepository, ImageFile, ImageLayer, SaveParams } from "@uni/contract/rpc";
import type { AskAgent } from "./ssh-agent.ts";

export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly workingDirectory: string;
  readonly exposedPorts: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** As in the image ("SIGTERM", "15"); empty means SIGTERM. */
  readonly stopSignal: string;
  readonly architecture: string;
}

export interface Image {
  /** Digest of the image manifest: the image's identity. */
  readonly digest: Digest;
  /** `name:tag` references that point at it. */
  readonly references: readonly string[];
  readonly createdAt: Date;
  /** Bytes of the EROFS root on disk. */
  readonly sizeBytes: number;
  readonly rootPath: string;
  readonly config: ImageConfig;
  /** Loader and libraries that the entry point needs and the image has nowhere: it cannot start. */
  readonly missing?: readonly string[];
}

/** Laid over the config of what is built: `env` adds to it and wins, all else takes the place of what is there. */
export type ConfigChanges = Partial<Omit<ImageConfig, "architecture" | "exposedPorts">>;

export type BuildSource =
  | {
      /** A tar of a build context; the Dockerfile is inside. */
      readonly kind: "context";
      readonly dockerfile: string;
      readonly target?: string;
      readonly buildArgs: Readonly<Record<string, string>>;
      /** Contents, never argv or log. */
      readonly secrets: Readonly<Record<string, Uint8Array>>;
      /** Private keys by id, likewise. */
      readonly ssh: Readonly<Record<string, readonly Uint8Array[]>>;
      /** The agent of the one who asks, and the ids that it stands for. */
      readonly agent?: { readonly ids: readonly string[]; readonly ask: AskAgent } | undefined;
      /** Names of contexts that come in the tar, below `furtherContexts`. */
      readonly contexts: readonly string[];
      readonly noCache: boolean;
    }
  /** One static ELF program; becomes the entry point. */
  | { readonly kind: "elf" }
  /** A tar of a program and what it needs, laid over what programs commonly expect of a root file system. */
  | { readonly kind: "program" }
  /** A root file system: tar, cpio (newc) or EROFS; plain, gzip or zstd. */
  | { readonly kind: "root" }
  /** An image of the store; nothing is uploaded. */
  | { readonly kind: "image"; readonly image: string };

export interface BuildRequest {
  /** Reference to give the result; tag defaults to latest. */
  readonly reference: string;
  readonly source: BuildSource;
  /** Reference of an image whose layers lie below, and whose config holds where the result's own says nothing. */
  readonly base?: string;
  readonly changes: ConfigChanges;
}

export interface Progress {
  /** Short name of what is going on: "context", "build", "layer", "layers", "root". */
  readonly step: string;
  /** Which layer, where several are on their way at once. */
  readonly layer?: Digest;
  readonly message: string;
  readonly current?: number;
  readonly total?: number;
}

export interface ImageOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** The files of an image, which stays until this is disposed of. Symbolic links lead nowhere but into the image. */
export interface ImageFiles extends AsyncDisposable {
  /** A directory's entries, and with `recursive` all below; of anything else that alone. */
  list(
    path: string,
    how: { readonly recursive: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<ImageFile>;
  /** A file's bytes; `not_found` or `invalid_value` where there is none. */
  read(path: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** A tar of the file or tree; `follow` copies what a link that is named leads to. */
  archive(
    path: string,
    how: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<Uint8Array>;
}

export interface PullRequest {
  readonly policy: PullPolicy;
  /** For this pull alone; else those that are kept for the registry. */
  readonly credentials?: { readonly username: string; readonly password: string } | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** It ends after the time that instances wait for their images. */
  readonly forInstance?: boolean | undefined;
  /** Join a pull of the same that is under way; standard: yes. */
  readonly mergeRequests?: boolean | undefined;
}

export interface PushRequest {
  readonly reference: string;
  /** The reference itself unless given. */
  readonly destination?: string | undefined;
  /** For this push alone; else those that are kept for the registry. */
  readonly credentials?: { readonly username: string; readonly password: string } | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface Pushed {
  /** With its tag. */
  readonly reference: string;
  readonly digest: Digest;
}

export interface PrunePulled {
  readonly inUse: (digest: Digest) => readonly string[];
  readonly unusedForMs: number;
  /** Asked before each removal. */
  readonly isShortOfDisk: () => Promise<boolean>;
}

export type ArchiveFormat = NonNullable<SaveParams["format"]>;

/** Bytes as the file system has allocated them. */
export interface ImagesUsage {
  readonly roots: { readonly count: number; readonly reclaimableBytes: number };
  /** Layers, configs, manifests. */
  readonly blobs: {
    readonly count: number;
    readonly sharedBytes: number;
    readonly reclaimableBytes: number;
  };
}

export interface Images {
  /** The same as another account has it: see docs/decisions/0019-whose-images.md. These are the machine's own account's, which sees all. */
  of(account: AccountId): Images;
  /** `name`, `name:tag`, `name@sha256:…`, `sha256:…` or an unambiguous digest prefix of 6 or more digits; else `image_not_found`, with near names in the hint. */
  resolve(reference: string): Promise<Image>;
  /** Like `resolve`; undefined: it is not here, and may be had from a registry. */
  find(reference: string): Promise<Image | undefined>;
  /**
   * The image of a reference, from a registry if its policy says so or it is not here. Callers at the same time share the
   * work; it ends when the last of them has aborted.
   */
  pull(reference: string, request: PullRequest, options: ImageOptions): Promise<Image>;
  list(): Promise<readonly Image[]>;
  /** Who has the image; all, where it is for everybody. */
  accountsOf(digest: Digest): Promise<readonly AccountId[]>;
  open(reference: string): Promise<ImageFiles>;
  /** Names in this machine's registry that have the term in them, best first. */
  search(term: string): Promise<readonly FoundRepository[]>;
  usage(inUse: (digest: Digest) => readonly string[]): Promise<ImagesUsage>;
  /** What the reference means, to a registry; an index of which only a part is here gives way to this machine's image. */
  push(request: PushRequest, options: ImageOptions): Promise<Pushed>;
  /** On a disk that is short of room: removes pulled images that nobody has used for long; the references that went. */
  prunePulled(how: PrunePulled): Promise<readonly string[]>;
  /** Newest step first. */
  history(reference: string): Promise<readonly ImageLayer[]>;
  /** An archive of images, each once, with the names that they were asked for by. All are found before the first byte. */
  save(references: readonly string[], format: ArchiveFormat, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Removes the reference; the image goes with its last one. `inUse` says who uses a digest: then `in_use` unless a reference remains. By digest removes all. */
  remove(
    reference: string,
    inUse: (digest: Digest) => readonly string[],
  ): Promise<{ readonly removed: readonly string[]; readonly deleted: boolean }>;
  tag(source: string, reference: string): Promise<void>;
  /** OCI archive, OCI layout in a tar, or docker-archive; plain, gzip or zstd. Returns every image in it. */
  load(archive: Readable, reference: string | undefined, options: ImageOptions): Promise<readonly Image[]>;
  build(upload: Readable, request: BuildRequest, options: ImageOptions): Promise<Image>;
  /**
   * Removes blobs and roots that nothing refers to, and files a crash left; returns bytes freed. With `inUse` also the
   * images that have lost their last reference to a newer image and that nobody uses; with `untagged` also what was pushed a
   * day ago or earlier and no tag leads to; with `buildCache` also what builds keep to be faster next time.
   */
  collect(what?: {
    readonly inUse?: (digest: Digest) => readonly string[];
    readonly untagged?: boolean;
    readonly buildCache?: boolean;
  }): Promise<number>;
}
