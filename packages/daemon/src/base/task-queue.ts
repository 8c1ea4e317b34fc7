/** Runs tasks one after the other; the one under way can be interrupted. A failed task does not stop its successors. */
export class TaskQueue {
  #tail: Promise<void> = Promise.resolve();
  #current: AbortController | undefined;

  run<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const result = this.#tail.then(async () => {
      const controller = new AbortController();
      this.#current = controller;
      try {
        return await body(controller.signal);
      } finally {
        this.#current = undefined;
      }
    });
    this.#tail = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** Aborts the signal of the task under way, if there is one; those behind it are not touched. */
  interrupt(reason: Error): void {
    this.#current?.abort(reason);
  }

  /** Resolves when all tasks queued so far are over. */
  idle(): Promise<void> {
    return this.#tail;
  }
}
