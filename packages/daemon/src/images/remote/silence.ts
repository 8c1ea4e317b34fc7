import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";

/** Tells when nothing has happened for longer than is allowed at this stage. */
export interface Silence {
  /** The error that it was told with. */
  readonly broken: UniError | undefined;
  /** From now on, for this long, until the next word. */
  allow(ms: number, stage: string): void;
  /** Something happened. */
  touch(): void;
  /** Nothing is waited for. */
  rest(): void;
  end(): void;
}

/** One timer however often something happens: it looks when it fires, and winds itself up again. */
export function watchSilence(clock: Clock, host: string, onSilent: (error: UniError) => void): Silence {
  let broken: UniError | undefined;
  let allowed: { readonly ms: number; readonly stage: string } | undefined;
  const now = (): number => clock.monotonicUs() / 1000;
  let last = now();
  let cancel: (() => void) | undefined;
  let wakeAt = Number.POSITIVE_INFINITY;
  const arm = (ms: number): void => {
    cancel?.();
    wakeAt = now() + ms;
    cancel = clock.after(ms, look);
  };
  const look = (): void => {
    wakeAt = Number.POSITIVE_INFINITY;
    if (allowed === undefined) return;
    const left = last + allowed.ms - now();
    if (left > 0) {
      arm(left);
      return;
    }
    const { stage, ms } = allowed;
    broken = new UniError("timed_out", `${stage} ${host}: nothing came for ${ms / 1000} s`);
    onSilent(broken);
  };
  return {
    get broken() {
      return broken;
    },
    allow(ms, stage) {
      last = now();
      allowed = { ms, stage };
      if (wakeAt > last + ms) arm(ms);
    },
    touch() {
      last = now();
    },
    rest() {
      allowed = undefined;
    },
    end() {
      allowed = undefined;
      cancel?.();
    },
  };
}
