import type { MachineExit } from "../port.ts";

/** What the kernel prints last of all when it gives up (kernel/panic.c). */
const panicWords = /Kernel panic - not syncing/;

/**
 * How the guest ended, from QEMU's run state (RunState in qemu-qmp-ref(7)); undefined while it has not. With `panic=-1`
 * a panic is a reset to QEMU: only the console tells it from a polite one.
 */
export function exitOf(runState: unknown, lastWords: string): MachineExit | undefined {
  switch (runState) {
    case "shutdown":
      return { kind: panicWords.test(lastWords) ? "guest-panic" : "guest-shutdown" };
    case "guest-panicked":
    case "internal-error":
    case "watchdog":
      return { kind: "guest-panic" };
    default:
      return undefined;
  }
}

export const hasEnded = (runState: unknown): boolean => exitOf(runState, "") !== undefined;

/** The field of query-status's answer. */
export const runStateOf = (answer: unknown): unknown =>
  typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>)["status"] : undefined;
