import type { UniClient } from "@uni/sdk/client";
import type { Interrupts } from "./interrupts.ts";
import type { Output } from "./output.ts";

/** What a command's handler works with. */
export interface Context {
  readonly client: UniClient;
  readonly out: Output;
  readonly interrupts: Interrupts;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin: NodeJS.ReadStream;
  readonly signal: AbortSignal;
  /** The words behind `--` on the command line. */
  readonly afterDashes: readonly string[];
}
