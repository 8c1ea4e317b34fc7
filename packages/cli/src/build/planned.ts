import type { BuildParams } from "@uni/contract/rpc-params";
import type { NamedPath } from "../files/pack.ts";

/** A file of this machine, by the name it gets in a tar. */
export interface NamedFile {
  readonly path: string;
  readonly name: string;
}

/** What goes along with a request to build. */
export type Upload =
  | { readonly kind: "file"; readonly path: string }
  /** A tar of a directory's content. */
  | {
      readonly kind: "tree";
      readonly path: string;
      /** All of it belongs to root, whoever owns it here. */
      readonly asRoot?: boolean;
      readonly extra?: readonly NamedPath[];
      /** A `.dockerignore` for it; what it names stays here, but for the Dockerfile. */
      readonly ignoreFile?: string;
    }
  /** A tar of these; they belong to root. None: an empty tar. */
  | { readonly kind: "files"; readonly files: readonly NamedFile[] }
  | { readonly kind: "nothing" };

export type BuildConfig = NonNullable<BuildParams["config"]>;

export interface PlannedBuild {
  readonly reference: string;
  /** Of a ROM beside others: what its name has behind theirs. */
  readonly suffix?: string;
  readonly params: Pick<BuildParams, "kind" | "dockerfile" | "image" | "base" | "config">;
  readonly upload: Upload;
  /** What is sent, for people: "the build context". */
  readonly what: string;
}

export interface BuildPlan {
  readonly builds: readonly [PlannedBuild, ...PlannedBuild[]];
  readonly notes: readonly string[];
}
