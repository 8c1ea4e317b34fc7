/** What a guest's report means for how its run ended. */
import type { ExitReport, InstanceStatus } from "./record.ts";
import type { StopCause } from "./stop-outcome.ts";

/** The program ended by itself. */
export const reported = (exit: ExitReport): StopCause =>
  exit.kind === "exited" ? { ...exit, asked: false, killed: false } : exit;

/** The program was asked to stop. `gone`: the guest says that it has; `killed`: the grace period was over by then. */
export function stoppedAsAsked(
  exit: ExitReport | null,
  stop: { readonly gone: boolean; readonly killed: boolean },
): StopCause {
  if (!stop.gone || exit === null) return { kind: "forced" };
  return exit.kind === "exited" ? { ...exit, asked: true, killed: stop.killed } : exit;
}

/** What is known of a run whose machine was gone when the daemon came back. */
export function exitCause(exit: ExitReport | null, intent: InstanceStatus["intent"]): StopCause | undefined {
  if (exit === null) return intent === "stop" ? { kind: "forced" } : undefined;
  return exit.kind === "exited" ? { ...exit, asked: intent === "stop", killed: false } : exit;
}

/** Asked after the guest's last word, which says how the program ended. */
export type Cause = (exit: InstanceStatus["exit"]) => StopCause;

export const forced: Cause = () => ({ kind: "forced" });
