/** What the API asks of the store of images; a part of its port. */
import type { Readable } from "node:stream";
import type { AccountId } from "@uni/contract/ids";
import type { Image } from "@uni/contract/resources/image";
import type {
  BuildParams,
  ImageDetail,
  ImageFile,
  ImageLayer,
  Progress,
  PullParams,
  SaveParams,
} from "@uni/contract/rpc";

/** A path in an image. */
export interface ImagePlace {
  readonly reference: string;
  readonly path: string;
}

export interface ImagesPort {
  list(
    account: AccountId,
    filter: { readonly digest?: string | undefined; readonly tag?: string | undefined },
  ): Promise<readonly Image[]>;
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
  /** `params.kind` says what the upload is: a build context (tar), an ELF program, or a root file system (tar). */
  build(
    upload: Readable,
    params: BuildParams,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<ImageDetail>;
}
