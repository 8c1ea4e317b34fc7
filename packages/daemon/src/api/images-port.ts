/** What the API asks of the store of images; a part of its port. */
import type { Readable } from "node:stream";
import type { AccountId } from "@uni/contract/ids";
import type { Image, PinImageItem, PinnedImage } from "@uni/contract/resources/image";
import type {
  BuildParams,
  FoundRepository,
  ImageDetail,
  ImageFile,
  ImageLayer,
  Progress,
  PullParams,
  PushParams,
  SaveParams,
} from "@uni/contract/rpc";
import type { WaitMs } from "./port.ts";

export interface ImageFilter {
  readonly digest?: string | undefined;
  /** With its name or without. */
  readonly tag?: string | undefined;
}

/** A path in an image. */
export interface ImagePlace {
  readonly reference: string;
  readonly path: string;
}

export interface ImagesPort {
  /** As the account has them: what it may not see is not there. */
  of(account: AccountId): AccountImages;
}

export interface AccountImages {
  list(filter: ImageFilter): Promise<readonly Image[]>;
  /** With bare tags. */
  store(filter: ImageFilter): Promise<readonly Image[]>;
  /** Brings an image here and keeps it; pending if the wait ends before that. */
  pin(item: PinImageItem, waitMs: WaitMs): Promise<PinnedImage>;
  pins(): Promise<readonly PinnedImage[]>;
  unpin(uuid: string): Promise<{ readonly uuid: string; readonly name: string }>;
  search(term: string): Promise<readonly FoundRepository[]>;
  details(): Promise<readonly ImageDetail[]>;
  detail(reference: string): Promise<ImageDetail>;
  history(reference: string): Promise<readonly ImageLayer[]>;
  /** A directory's entries, and with `recursive` all below; of anything else that alone. */
  files(place: ImagePlace, recursive: boolean, signal: AbortSignal): AsyncIterable<ImageFile>;
  readFile(place: ImagePlace, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** A tar of the file or tree; `followLink` copies what a link at the path leads to. */
  copyOut(place: ImagePlace, followLink: boolean, signal: AbortSignal): AsyncIterable<Uint8Array>;
  save(params: SaveParams, signal: AbortSignal): AsyncIterable<Uint8Array>;
  remove(reference: string): Promise<{ readonly removed: readonly string[]; readonly deleted: boolean }>;
  tag(source: string, reference: string): Promise<void>;
  /** Removes images without a reference that no instance uses, and leftovers; with `buildCache` that as well. Bytes freed. */
  prune(also: { readonly buildCache: boolean; readonly bootCache: boolean }): Promise<number>;
  load(
    archive: Readable,
    reference: string | undefined,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<readonly ImageDetail[]>;
  pull(
    params: PullParams,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<ImageDetail>;
  push(
    params: PushParams,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<{ readonly reference: string; readonly digest: string }>;
  /**
   * `params.kind` says what the upload is: a build context (tar), an ELF program, or a root file system (tar). `ask` hands a
   * message on to the client's SSH agent, once the upload has ended.
   */
  build(
    input: {
      readonly upload: Readable;
      readonly ask: ((message: Uint8Array) => Promise<Uint8Array>) | undefined;
    },
    params: BuildParams,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<ImageDetail>;
}
