import { messageOf } from "../base/message-of.ts";
import type { Change } from "./changes.ts";
import { Waker, type WakerOptions } from "./waker.ts";

export interface HoldingOptions extends Omit<WakerOptions, "onLost"> {
  /** Their addresses. */
  readonly sleepers: () => readonly string[];
  /** Makes the waker's device. */
  readonly makeDevice: () => Promise<unknown>;
  /** Runs while nothing else changes the host's network. */
  readonly alone: <T>(task: () => Promise<T>) => Promise<T>;
}

const retryMs = 1_000;

/** Sees to it that packets for sleepers are held: as long as anybody sleeps the waker runs, and knows who. */
export class Holding {
  readonly waker: Waker;
  readonly #options: HoldingOptions;

  constructor(options: HoldingOptions) {
    const { log, device } = options;
    this.#options = options;
    this.waker = new Waker({
      ...options,
      onLost: () => {
        log.warn({ device }, "the process that holds packets for sleepers has ended: starting it again");
        this.#bringBack();
      },
    });
  }

  /** Before the routes go: what comes from here on is kept. Says for whom it cannot be, and why. */
  async holdFor(changes: readonly Change[]): Promise<ReadonlyMap<Change, unknown>> {
    const falling = changes.filter(
      ({ kind, attachment }) =>
        (kind === "move" || kind === "attach" || kind === "device") && attachment.asleep !== undefined,
    );
    if (falling.length === 0) return new Map();
    try {
      await this.#ensure();
      await this.waker.hold(falling.map(({ attachment }) => attachment.address));
      return new Map();
    } catch (error) {
      return new Map(falling.map((change) => [change, error]));
    }
  }

  /** After the routes are there. Without a waker nothing is held, and its successor holds for sleepers only. */
  async release(addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0 || !this.waker.isConnected) return;
    await this.waker
      .release(addresses)
      .catch((error: unknown) => this.#options.log.warn({ err: error, addresses }, "held packets are lost"));
  }

  /** Holds for all sleepers, and says what was wrong. That it cannot must not keep anybody from repairing all else. */
  async reconcile(): Promise<readonly string[]> {
    if (this.#options.sleepers().length === 0) return [];
    try {
      const started = await this.#ensure();
      await this.waker.hold(this.#options.sleepers());
      return started ? ["the process that holds packets for sleepers did not run"] : [];
    } catch (error) {
      this.#bringBack();
      return [`packets for sleepers cannot be held: ${messageOf(error)}`];
    }
  }

  /** Releases whoever is awake by now, and whose route is there. */
  async sync(): Promise<void> {
    if (this.waker.isConnected) await this.waker.sync(this.#options.sleepers());
  }

  /** True if it had to be started. */
  async #ensure(): Promise<boolean> {
    if (this.waker.isConnected) return false;
    await this.#options.makeDevice();
    const started = await this.waker.start();
    await this.waker.hold(this.#options.sleepers());
    return started;
  }

  #bringBack(): void {
    const { alone, clock, log, sleepers } = this.#options;
    alone(async () => {
      if (sleepers().length > 0) await this.#ensure();
    }).catch((error: unknown) => {
      log.error({ err: error }, "sleepers cannot be woken by packets; trying again");
      clock.after(retryMs, () => this.#bringBack());
    });
  }
}
