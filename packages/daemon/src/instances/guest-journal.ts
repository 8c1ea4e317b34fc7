/** What a guest says, written down: output into the log, milestones into the record. */
import { UniError } from "@uni/contract/errors";
import type { InstanceId } from "@uni/contract/ids";
import type { Clock } from "../base/clock.ts";
import type { GuestEvent } from "../guest/port.ts";
import type { LogStore } from "./log-store.ts";
import type { OutputFeed } from "./output-feed.ts";
import type { ExitReport } from "./record.ts";
import type { Registry } from "./registry.ts";

export interface JournalDependencies {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly feed: OutputFeed;
  readonly openLog: (id: InstanceId) => Promise<LogStore>;
}

export class GuestJournal {
  readonly #id: InstanceId;
  readonly #deps: JournalDependencies;
  #store: Promise<LogStore> | undefined;
  #closed = false;
  #runStartedUs = 0;

  constructor(id: InstanceId, deps: JournalDependencies) {
    this.#id = id;
    this.#deps = deps;
  }

  /** Rejects once it is closed: what still comes is not acknowledged, and what was erased is not made again. */
  store(): Promise<LogStore> {
    if (this.#closed)
      return Promise.reject(new UniError("not_found", `open the log of ${this.#id}: it is gone`));
    this.#store ??= this.#deps.openLog(this.#id);
    return this.#store;
  }

  /** A run begins now: boot time counts from here, the guest's log offsets from zero. */
  async startRun(): Promise<void> {
    this.#runStartedUs = this.#deps.clock.monotonicUs();
    await (await this.store()).startRun();
  }

  /** Resolves when it is stored, and then the guest may forget it. Returns a first exit report for the owner to act on. */
  async take(event: GuestEvent): Promise<ExitReport | undefined> {
    switch (event.kind) {
      case "log": {
        const store = await this.store();
        await store.append(event.stream, event.timeMs, event.bytes, event.offset + event.bytes.length);
        this.#deps.feed.nudge(this.#id);
        return undefined;
      }
      case "log-lost":
        await this.note(`${event.bytes} bytes of output were lost`, event.offset + event.bytes);
        return undefined;
      case "started":
        await this.#started();
        return undefined;
      case "listening": {
        const { bootTimeUs } = this.#deps.registry.get(this.#id).status;
        await this.#deps.registry.change(this.#id, { status: { netTimeUs: (bootTimeUs ?? 0) + event.us } });
        return undefined;
      }
      case "oom":
        await this.note(
          `out of memory: the kernel killed ${event.process} (${Math.ceil(event.rssKb / 1024)} MB)`,
        );
        return undefined;
      // Asked for where it matters, when an instance may fall asleep.
      case "inhibited":
        return undefined;
      // Nothing to write down: what comes of them is.
      case "template-requested":
      case "template-withdrawn":
      case "fork-requested":
        return undefined;
      case "exited":
      case "start-failed":
        if (this.#deps.registry.get(this.#id).status.exit !== null) return undefined;
        await this.#deps.registry.change(this.#id, { status: { exit: event } });
        return event;
      default:
        return event satisfies never;
    }
  }

  /** A line of Uni's own among the output, on stream "system". */
  async note(sentence: string, guestOffsetAfter?: number): Promise<void> {
    const bytes = Buffer.from(`${sentence}\n`);
    await (await this.store()).append("system", this.#deps.clock.now(), bytes, guestOffsetAfter);
    this.#deps.feed.nudge(this.#id);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const store = this.#store;
    this.#store = undefined;
    await (await store)?.close();
  }

  /** After a takeover the start of the run is not known to the microsecond, and a stop may have come first. */
  async #started(): Promise<void> {
    const { state } = this.#deps.registry.get(this.#id).status;
    const bootTimeUs = this.#runStartedUs === 0 ? null : this.#deps.clock.monotonicUs() - this.#runStartedUs;
    await this.#deps.registry.change(this.#id, {
      status: state === "starting" ? { state: "running", bootTimeUs } : { bootTimeUs },
    });
  }
}
