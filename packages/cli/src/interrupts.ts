import { Interrupted } from "./report-error.ts";

type Handler = () => void;

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
  const abandon = (status: number) => {
    // A second one means that something does not listen to the signal.
    if (controller.signal.aborted) process.exit(status);
    controller.abort(new Interrupted(status));
  };
  const onInterrupt = () => {
    const handler = handlers.at(-1);
    if (handler !== undefined) handler();
    else abandon(130);
  };
  const onTerminate = () => {
    const handler = handlers.at(-1);
    if (handler !== undefined) handler();
    else abandon(143);
  };
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
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
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onTerminate);
    },
  };
}
