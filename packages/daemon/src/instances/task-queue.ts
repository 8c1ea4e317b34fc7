/** Runs tasks one after the other. The one under way can be interrupted; one that fails does not stop its successors. */
export class TaskQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #task: AbortController | undefined;

  run<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const result = this.#tail.then(async () => {
      const controller = new AbortController();
      this.#task = controller;
      try {
        return await body(controller.signal);
      } finally {
        this.#task = undefined;
      }
    });
    this.#tail = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** Aborts the signal of the task under way; those that wait are not touched. */
  interrupt(reason: Error): void {
    this.#task?.abort(reason);
  }

  /** Resolves when all tasks queued so far are over. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}
