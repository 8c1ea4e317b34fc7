import { Interrupted } from "./report-error.ts";

export type InterruptSignal = "SIGINT" | "SIGTERM";
type Handler = (signal: InterruptSignal) => void;

interface TakeOptions {
  /** What is to be done before the command ends because nobody reads its output. */
  readonly onReaderGone?: () => Promise<unknown>;
}

/** Who answers Ctrl-C (and SIGTERM): the command's own handler if it has one, else everything is abandoned. */
export interface Interrupts {
  /** Aborted when the command is to be abandoned; its reason is an `Interrupted`. */
  readonly signal: AbortSignal;
  /** Takes Ctrl-C over until the returned function is called. */
  take(handler: Handler, options?: TakeOptions): () => void;
  /** Nobody reads our output any more (`uni logs web | head`), which is no failure worth a word: ends with status 141. */
  readerGone(): void;
  dispose(): void;
}

export function watchInterrupts(): Interrupts {
  const controller = new AbortController();
  const handlers: ({ readonly handler: Handler } & TakeOptions)[] = [];
  let leaving = false;
  const onSignal = (signal: InterruptSignal) => {
    const taken = handlers.at(-1);
    if (taken !== undefined) return taken.handler(signal);
    const status = signal === "SIGINT" ? 130 : 143;
    // A second one means that something does not listen to the abort.
    if (controller.signal.aborted) process.exit(status);
    controller.abort(new Interrupted(status));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    take(handler, options) {
      const taken = { handler, ...options };
      handlers.push(taken);
      return () => {
        const index = handlers.lastIndexOf(taken);
        if (index >= 0) handlers.splice(index, 1);
      };
    },
    readerGone() {
      if (leaving) return;
      leaving = true;
      const leave = () => process.exit(141);
      const before = handlers.at(-1)?.onReaderGone?.();
      if (before === undefined) leave();
      else before.then(leave, leave);
    },
    dispose() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
