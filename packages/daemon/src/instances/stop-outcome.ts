/** Why a run ended, as the wire says it. Bits: behaviour of the Unikraft Cloud API, `stop_reason` and `stop_code`. */

const bits = { kernel: 1, application: 2, platform: 4, user: 8, forced: 16 } as const;

/** Out of memory while the program ran: page fault, errno 12, init level 127. */
const outOfMemoryStopCode = 0x000c7f04;
/** The image, or another medium, is missing. */
const noMediumStopCode = 1;
/** Unexpected state while the program ran: what a kernel panic is reported as. */
const panicStopCode = 0x00007f01;

export type StopCause =
  /** The program ended, by itself or because it was asked to; `code` is 128+signal when it was killed. */
  | {
      readonly kind: "exited";
      readonly code: number;
      readonly signal: number;
      readonly oomKilled: boolean;
      readonly asked: boolean;
      /** It was asked to stop and had to be killed when the grace period was over. */
      readonly killed: boolean;
    }
  | { readonly kind: "start-failed"; readonly code: number; readonly reason: string }
  | { readonly kind: "forced" }
  | { readonly kind: "interrupted" }
  /** Stopped in its sleep, when nothing of it ran. */
  | { readonly kind: "slept" }
  | { readonly kind: "panic"; readonly lastWords: string }
  | { readonly kind: "guest-reset" }
  | { readonly kind: "vmm-died" }
  | { readonly kind: "no-medium"; readonly message: string }
  | { readonly kind: "failed"; readonly message: string };

export interface StopOutcome {
  readonly stopReason: number;
  readonly exitCode: number | null;
  readonly stopCode: number | null;
  readonly exitReason: string;
  /** It ended badly from inside: what restart policy `on-failure` looks at. */
  readonly crashed: boolean;
  /** It ended from inside: what restart policy `always` looks at. */
  readonly fromInside: boolean;
}

export function stopOutcome(cause: StopCause, memoryMb: number): StopOutcome {
  switch (cause.kind) {
    case "exited":
      return exitedOutcome(cause, memoryMb);
    case "start-failed":
      return inside(
        bits.application | bits.kernel,
        cause.code,
        0,
        `the program could not be started: ${cause.reason}`,
        true,
      );
    case "forced":
      return outside(bits.platform | bits.user | bits.forced, "stopped by force");
    case "interrupted":
      return outside(bits.platform | bits.user | bits.forced, "stopped while it was starting");
    case "slept":
      return outside(
        bits.platform | bits.user | bits.application | bits.kernel,
        "stopped while it was asleep",
      );
    case "panic":
      return inside(
        bits.kernel,
        null,
        panicStopCode,
        `the guest kernel panicked${panicDetail(cause.lastWords)}`,
        true,
      );
    case "guest-reset":
      return inside(bits.kernel, null, 0, "the guest shut itself down", false);
    case "vmm-died":
      return inside(0, null, null, "the virtual machine monitor ended unexpectedly", true);
    case "no-medium":
      return { ...outside(bits.platform, cause.message), stopCode: noMediumStopCode };
    case "failed":
      return { ...outside(bits.platform, cause.message), crashed: true, fromInside: true };
    default:
      return cause satisfies never;
  }
}

/** The part of the status that an outcome fills. */
export const stoppedStatus = (outcome: StopOutcome) =>
  ({
    state: "stopped",
    configured: false,
    sleep: null,
    exit: null,
    stopReason: outcome.stopReason,
    exitCode: outcome.exitCode,
    stopCode: outcome.stopCode,
    exitReason: outcome.exitReason,
  }) as const;

function exitedOutcome(cause: StopCause & { kind: "exited" }, memoryMb: number): StopOutcome {
  if (cause.oomKilled && !cause.asked) {
    const suggested = Math.max(2 * memoryMb, 256);
    const sentence = `the program was killed because it ran out of memory (${memoryMb} MB); try ${suggested} MB`;
    return inside(bits.kernel, cause.code, outOfMemoryStopCode, sentence, true);
  }
  if (cause.asked) {
    return cause.killed
      ? {
          ...outside(bits.platform | bits.user | bits.kernel, "stopped; the program had to be killed"),
          exitCode: cause.code,
        }
      : {
          ...outside(bits.platform | bits.user | bits.application | bits.kernel, "stopped"),
          exitCode: cause.code,
          stopCode: 0,
        };
  }
  const how =
    cause.signal === 0
      ? `the program ended with status ${cause.code}`
      : `the program was killed by signal ${cause.signal}`;
  return inside(bits.application | bits.kernel, cause.code, 0, how, cause.code !== 0);
}

function inside(
  stopReason: number,
  exitCode: number | null,
  stopCode: number | null,
  exitReason: string,
  crashed: boolean,
): StopOutcome {
  return { stopReason, exitCode, stopCode, exitReason, crashed, fromInside: true };
}

function outside(stopReason: number, exitReason: string): StopOutcome {
  return { stopReason, exitCode: null, stopCode: null, exitReason, crashed: false, fromInside: false };
}

function panicDetail(lastWords: string): string {
  const line = lastWords.match(/Kernel panic - not syncing: ([^\r\n]{1,200})/)?.[1];
  return line === undefined ? "" : `: ${line}`;
}
