import { Interrupted } from "./report-error.ts";

export type InterruptSignal = "SIGINT" | "SIGTERM";
type Handler = (signal: InterruptSignal) => void;

/** Who answers Ctrl-C (and SIGTERM): the command's own handler if it has one, else everything is abandoned. */
export interface Interrupts {
  /** Aborted when the command is to be abandoned; its reason is an `Interrupted`. */
  readonly signal: AbortSignal;
  /** Takes Ctrl-C over until the returned function is called. */
  take(handler: Handler): () => void;
  dispose(): void;
}

export function watchInterrupts(): Interrupts {
  const controller = new AbortController();
  const handlers: Handler[] = [];
  const onSignal = (signal: InterruptSignal) => {
    const handler = handlers.at(-1);
    if (handler !== undefined) return handler(signal);
    const status = signal === "SIGINT" ? 130 : 143;
    // A second one means that something does not listen to the abort.
    if (controller.signal.aborted) process.exit(status);
    controller.abort(new Interrupted(status));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    take(handler) {
      handlers.push(handler);
      return () => {
        const index = handlers.lastIndexOf(handler);
        if (index >= 0) handlers.splice(index, 1);
      };
    },
    dispose() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
