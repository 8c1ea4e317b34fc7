/**
 * Images that somebody wants to stay: brought here, and then kept by no sweep, no prune and no removal until they are let go.
 * The wish is written down first; what an earlier daemon did not come to is gone on with.
 */
import { randomUUID } from "node:crypto";
import { toUniError, UniError } from "@uni/contract/errors";
import type { AccountId, Digest } from "@uni/contract/ids";
import type { Clock } from "../../base/clock.ts";
import { withDeadline } from "../../base/deadline.ts";
import type { Log } from "../../base/log.ts";
import { deletePin, listPins, type PinRow, savePin } from "../../store/image-pins.ts";
import type { Database } from "../../store/open.ts";
import type { Image, PullRequest } from "../port.ts";

export type { PinRow } from "../../store/image-pins.ts";

export interface PinRequest {
  readonly account: AccountId;
  readonly url: string;
  readonly pull: PullRequest;
  /** Without a use for this long it is given up; 0: never. */
  readonly idleMs: number;
}

export interface PinsOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly pull: (
    account: AccountId,
    url: string,
    request: PullRequest,
    signal: AbortSignal,
  ) => Promise<Image>;
}

/** The longest that a pull for a pin may take. */
export const longestPullMs = 3_600_000;
const mostPins = 10_000;

export class Pins {
  readonly #options: PinsOptions;
  readonly #rows: Map<string, PinRow>;
  readonly #work = new Map<string, { readonly abort: AbortController; readonly done: Promise<PinRow> }>();

  private constructor(options: PinsOptions, rows: readonly PinRow[]) {
    this.#options = options;
    this.#rows = new Map(rows.map((row) => [row.uuid, row]));
  }

  static async open(options: PinsOptions): Promise<Pins> {
    return new Pins(options, await listPins(options.db));
  }

  all(): readonly PinRow[] {
    return [...this.#rows.values()];
  }

  /** What keeps an image, in words for whoever wants to remove it: pins of the account, or of any. */
  holding(digest: Digest, account?: AccountId): readonly string[] {
    const keeps = (row: PinRow): boolean =>
      row.digest === digest && (account === undefined || row.account === account);
    return this.all().some(keeps) ? ["a pin"] : [];
  }

  /** Goes on with what an earlier daemon began. */
  resume(): void {
    for (const row of this.all()) {
      if (row.digest !== null) continue;
      this.#fetch(row, { policy: "if_not_present" }).catch((error) => this.#tellGivenUp(row, error));
    }
  }

  /** One pin for each account and url: asked for again, it is brought up to date. Pending if the wait ends first. */
  async pin({ account, url, pull, idleMs }: PinRequest, waitMs: number): Promise<PinRow> {
    const before = this.all().find((row) => row.account === account && row.url === url);
    if (before === undefined && this.#rows.size >= mostPins) {
      throw new UniError("too_many", `pin ${url}: there are ${mostPins} pins already`);
    }
    const now = this.#options.clock.now();
    const row: PinRow = {
      ...(before ?? { uuid: randomUUID(), account, url, digest: null, createdAt: now }),
      idleMs,
      usedAt: now,
    };
    await this.#save(row);
    const fetched = this.#fetch(row, pull);
    const pending = Promise.withResolvers<PinRow>();
    const cancel = this.#options.clock.after(Math.min(waitMs, longestPullMs), () => {
      fetched.catch((error) => this.#tellGivenUp(row, error));
      pending.resolve(row);
    });
    try {
      return await Promise.race([fetched, pending.promise]);
    } finally {
      cancel();
    }
  }

  async unpin(account: AccountId, uuid: string): Promise<PinRow> {
    const row = this.#rows.get(uuid);
    if (row?.account !== account) throw new UniError("not_found", `unpin '${uuid}': there is no such pin`);
    await this.#remove(row);
    return row;
  }

  /** Gives up those that nobody has used for as long as they were to stay unused. */
  async expire(isUsed: (digest: Digest) => boolean): Promise<void> {
    const now = this.#options.clock.now();
    for (const row of this.all()) {
      if (row.idleMs === 0 || row.digest === null) continue;
      // Not each time: a tenth of the time is exact enough.
      if (isUsed(row.digest) && now - row.usedAt >= row.idleMs / 10)
        await this.#save({ ...row, usedAt: now });
      else if (!isUsed(row.digest) && now - row.usedAt >= row.idleMs) {
        this.#options.log.info({ pin: row.uuid, url: row.url }, "pin given up: nobody uses its image");
        await this.#remove(row);
      }
    }
  }

  /** Pulls under way end; the next daemon begins them again. */
  async close(): Promise<void> {
    const working = [...this.#work.values()];
    for (const { abort } of working) abort.abort(new UniError("unreachable", "the daemon ends"));
    await Promise.allSettled(working.map(({ done }) => done));
  }

  #fetch(row: PinRow, pull: PullRequest): Promise<PinRow> {
    const before = this.#work.get(row.uuid);
    if (before !== undefined) return before.done;
    const abort = new AbortController();
    const done = this.#bring(row, pull, abort.signal).finally(() => this.#work.delete(row.uuid));
    this.#work.set(row.uuid, { abort, done });
    return done;
  }

  async #bring(row: PinRow, pull: PullRequest, signal: AbortSignal): Promise<PinRow> {
    const { clock, pull: bring } = this.#options;
    const attempted = `pin ${row.url}`;
    try {
      const { digest } = await withDeadline({ clock, ms: longestPullMs, attempted, signal }, (until) =>
        bring(row.account, row.url, pull, until),
      );
      const current = this.#rows.get(row.uuid);
      if (current === undefined) throw new UniError("not_found", `pin ${row.url}: it was let go meanwhile`);
      const kept = { ...current, digest };
      await this.#save(kept);
      return kept;
    } catch (error) {
      const current = this.#rows.get(row.uuid);
      // One that had an image keeps it; one that never did is nothing, unless it is the daemon that ends.
      if (current?.digest === null && !signal.aborted) await this.#remove(current);
      throw toUniError(error, attempted);
    }
  }

  async #save(row: PinRow): Promise<void> {
    this.#rows.set(row.uuid, row);
    await savePin(this.#options.db, row);
  }

  async #remove(row: PinRow): Promise<void> {
    this.#rows.delete(row.uuid);
    await deletePin(this.#options.db, row.uuid);
    this.#work.get(row.uuid)?.abort.abort(new UniError("failed", `pin ${row.url}: it was let go`));
  }

  #tellGivenUp(row: PinRow, error: unknown): void {
    this.#options.log.warn({ err: error, url: row.url }, "an image could not be pinned");
  }
}
