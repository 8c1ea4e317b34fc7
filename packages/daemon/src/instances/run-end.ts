/** The last talk with a guest: a polite stop, a clean power off, and reading why a machine went by itself. */
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { MachineExit } from "../vmm/port.ts";
import type { LiveInstance } from "./lifecycle.ts";
import type { StopCause } from "./stop-outcome.ts";

/** How long a guest may take to sync and reset before it is cut off. */
const powerOffMs = 10_000;
/** How long the agent may take beyond the grace period to tell that the program is gone. */
const stopSlackMs = 5_000;

/** Never fails: a guest that does not answer in time, or until `signal` aborts, is cut off by the caller. */
export async function powerOff(
  live: LiveInstance,
  { clock, log, signal }: { readonly clock: Clock; readonly log: Log; readonly signal?: AbortSignal },
): Promise<void> {
  if (signal?.aborted) return;
  const cut = Promise.withResolvers<void>();
  const onAbort = () => cut.resolve();
  signal?.addEventListener("abort", onAbort, { once: true });
  const cancel = clock.after(powerOffMs, cut.resolve);
  const done = live.channel.powerOff().catch((error) => log.warn({ err: error }, "power off failed"));
  await Promise.race([done, cut.promise]);
  signal?.removeEventListener("abort", onAbort);
  cancel();
}

export interface StopRequest {
  readonly force: boolean;
  readonly graceMs: number;
}

export const interruptedBy = (by: string): UniError => new UniError("wrong_state", `interrupted by ${by}`);

/**
 * `gone` when the guest says that the program is; not when it could not, took too long, or `signal` cut it short. `killed` when
 * the grace period was over by then.
 */
export async function stopPolitely(
  live: LiveInstance,
  graceMs: number,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<{ readonly gone: boolean; readonly killed: boolean }> {
  const { clock } = options;
  const beforeUs = clock.monotonicUs();
  const cut = Promise.withResolvers<boolean>();
  const onCut = () => cut.resolve(false);
  options.signal.addEventListener("abort", onCut, { once: true });
  const cancel = clock.after(graceMs + stopSlackMs, onCut);
  try {
    const stopped = live.channel.stop(graceMs).then(
      () => true,
      () => false,
    );
    const gone = await Promise.race([stopped, cut.promise]);
    return { gone, killed: clock.monotonicUs() - beforeUs >= graceMs * 1000 };
  } finally {
    cancel();
    options.signal.removeEventListener("abort", onCut);
  }
}

export async function machineCause(live: LiveInstance, exit: MachineExit): Promise<StopCause> {
  switch (exit.kind) {
    case "guest-panic":
      return { kind: "panic", lastWords: await live.machine.lastWords().catch(() => "") };
    case "guest-shutdown":
      return { kind: "guest-reset" };
    case "vmm-died":
    case "killed":
      return { kind: "vmm-died" };
    default:
      return exit satisfies never;
  }
}
