/** Work that several callers want at once: done once, told to all, and ended when the last of them has gone. */

interface Running<Report, Result> {
  readonly result: Promise<Result>;
  readonly listeners: Set<(report: Report) => void>;
  readonly reports: Map<string, Report>;
  readonly end: AbortController;
}

export interface Caller<Report> {
  readonly signal: AbortSignal;
  readonly onReport: (report: Report) => void;
}

export class SharedWork<Report, Result> {
  readonly #running = new Map<string, Running<Report, Result>>();
  /** Reports of one kind replace each other: who comes later hears the last of each. */
  readonly #kindOf: (report: Report) => string;

  constructor(kindOf: (report: Report) => string) {
    this.#kindOf = kindOf;
  }

  async join(
    key: string,
    caller: Caller<Report>,
    task: (caller: Caller<Report>) => Promise<Result>,
  ): Promise<Result> {
    const { signal, onReport } = caller;
    signal.throwIfAborted();
    const running = this.#running.get(key) ?? this.#begin(key, task);
    for (const report of running.reports.values()) onReport(report);
    // An object of its own: one function may listen twice.
    const listener = (report: Report): void => onReport(report);
    running.listeners.add(listener);
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([running.result, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
      running.listeners.delete(listener);
      if (running.listeners.size === 0) this.#leave(key, running, signal.reason);
    }
  }

  #begin(key: string, task: (caller: Caller<Report>) => Promise<Result>): Running<Report, Result> {
    const end = new AbortController();
    const listeners = new Set<(report: Report) => void>();
    const reports = new Map<string, Report>();
    const onReport = (report: Report): void => {
      reports.set(this.#kindOf(report), report);
      for (const listener of listeners) listener(report);
    };
    const result = task({ signal: end.signal, onReport });
    const running = { result, listeners, reports, end };
    this.#running.set(key, running);
    const forget = (): void => this.#forget(key, running);
    result.then(forget, forget);
    return running;
  }

  /** Nobody waits any more: the next to come begins anew, and not with work that is being ended. */
  #leave(key: string, running: Running<Report, Result>, reason: unknown): void {
    this.#forget(key, running);
    running.end.abort(reason);
  }

  #forget(key: string, running: Running<Report, Result>): void {
    if (this.#running.get(key) === running) this.#running.delete(key);
  }
}
