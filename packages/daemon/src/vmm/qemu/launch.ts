/** Starts QEMU through the native launcher and waits until it talks, or says why it ended. */
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ErrorCode, UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import { startDetached } from "../../host/process.ts";
import { identify, type ProcessIdentity } from "../../host/process-identity.ts";
import type { RealAccelerator } from "./architecture.ts";
import { kvmAccess } from "./kvm-device.ts";
import { connectQmp, type Qmp, type QmpEvent } from "./qmp.ts";

export interface Launch {
  /** For error messages: "start machine …". */
  readonly attempted: string;
  readonly nativeDirectory: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly uid: number;
  readonly accelerator: RealAccelerator;
  /** RAM file to be opened for reading only. */
  readonly readOnlyRam?: { readonly path: string; readonly preload: string };
  /** Files given to QEMU as the descriptors from `inputDescriptor` on. */
  readonly inputs?: readonly string[];
  /** TAP device given to QEMU as `tapDescriptor`. Root opens /dev/net/tun: who else may is up to the host. */
  readonly tap?: string;
  /** The inputs after the first are so many pairs of a delta and its index, to be laid over the RAM one after the other. */
  readonly deltas?: number;
  readonly dieWithParent?: boolean;
  /** Keeps what QEMU has to say. */
  readonly logPath: string;
  /** What it names without a place is here. */
  readonly cwd: string;
}

export interface Launched {
  readonly process: ProcessIdentity;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  readonly logPath: string;
  readonly attempted: string;
}

/** Where `launch` puts the first input, and the TAP device; fixed in native/vmm/unprivileged.h. */
export const inputDescriptor = 3;
export const tapDescriptor = 10;

const pollMs = 2;

export async function launch(options: Launch): Promise<Launched> {
  const log = openSync(options.logPath, "w", 0o600);
  let child: ReturnType<typeof startDetached>;
  try {
    const args = [...launcherArguments(options), "--", options.program, ...options.args];
    child = startDetached(join(options.nativeDirectory, "launch"), args, {
      stderr: log,
      cwd: options.cwd,
    });
  } finally {
    closeSync(log);
  }
  const ended = Promise.withResolvers<void>();
  child.once("exit", () => ended.resolve());
  child.once("error", () => ended.resolve());
  const { logPath, attempted } = options;
  const launched = { ended: ended.promise, logPath, attempted };
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (identity === undefined) {
    await ended.promise;
    throw await earlyEnd(launched);
  }
  return { ...launched, process: identity };
}

/** What native/vmm/launch.c and zygote.c are told, but for the program. */
export function launcherArguments(options: Launch): string[] {
  const args = ["--uid", `${options.uid}`];
  const access = options.accelerator === "kvm" ? kvmAccess() : undefined;
  if (access?.for === "group") args.push("--group", `${access.gid}`);
  for (const path of options.inputs ?? []) args.push("--input", path);
  if (options.tap !== undefined) args.push("--tap", options.tap);
  if (options.dieWithParent) args.push("--die-with-parent");
  if (options.readOnlyRam !== undefined) {
    args.push("--env", `LD_PRELOAD=${options.readOnlyRam.preload}`);
    args.push("--env", `UNI_RAM_FILE=${options.readOnlyRam.path}`);
  }
  if (options.deltas !== undefined && options.deltas > 0) {
    const first = (pair: number) => inputDescriptor + 1 + 2 * pair;
    const pairs = Array.from({ length: options.deltas }, (_, pair) => `${first(pair)},${first(pair) + 1} `);
    args.push("--env", `UNI_DELTAS=${pairs.join("")}`);
  }
  // One arena instead of one per thread: QEMU's few threads rarely allocate at the same time.
  args.push("--env", "MALLOC_ARENA_MAX=1");
  return args;
}

/** Connects as soon as the socket is there; rejects with QEMU's own words if it ends before. */
export async function connectLaunched(
  launched: Launched,
  qmpPath: string,
  clock: Clock,
  onEvent: (event: QmpEvent) => void,
  signal: AbortSignal,
): Promise<Qmp> {
  const { ended } = launched;
  const gone = new AbortController();
  void ended.then(() => gone.abort());
  const either = AbortSignal.any([signal, gone.signal]);
  for (;;) {
    try {
      return await connectQmp(qmpPath, clock, onEvent, either);
    } catch (error) {
      signal.throwIfAborted();
      if (gone.signal.aborted) throw await earlyEnd(launched);
      if (!isNotYetThere(error)) await waitBriefly(ended, clock);
    }
    await clock.sleep(pollMs);
  }
}

/** A QEMU that closes the connection is about to end. */
const waitBriefly = (ended: Promise<void>, clock: Clock) => Promise.race([ended, clock.sleep(200)]);

const isNotYetThere = (error: unknown): boolean => {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ECONNREFUSED";
};

const knownEnds: readonly {
  readonly words: RegExp;
  readonly code: ErrorCode;
  readonly hint: string;
}[] = [
  { words: /Failed to get .*lock/, code: "in_use", hint: "Another machine has this disk open." },
  {
    words: /No space left on device/,
    code: "no_space",
    hint: "Make room on the disk of the data directory.",
  },
  {
    words: /[Cc]annot allocate memory/,
    code: "host_unfit",
    hint: "The host is out of memory: stop something.",
  },
];

/** The last lines that QEMU wrote before it ended, as an error. */
export async function earlyEnd({
  logPath,
  attempted,
}: Pick<Launched, "logPath" | "attempted">): Promise<UniError> {
  const text = await readFile(logPath, "utf8").catch(() => "");
  return startError(attempted, `QEMU ended: ${text.trim().slice(-2000) || "it said nothing"}`);
}

/** An error with the code and hint that QEMU's words deserve. */
export function startError(attempted: string, words: string, cause?: unknown): UniError {
  const known = knownEnds.find((end) => end.words.test(words));
  const { code, hint } = known ?? { code: "vmm_failed" as const, hint: "See uni doctor." };
  return new UniError(code, `${attempted}: ${words}`, { hint, cause });
}
