/**
 * What the guest's programs ask of the host: to become a template, or to be copied. Both cost the host far more than they cost
 * the guest, so one of a kind is open at a time, and of many some are handed on at once and then one each second, however fast they come.
 * The agent says in each session what still has no answer: these events need not be kept.
 */
import { Allowance } from "../base/allowance.ts";
import type { Clock } from "../base/clock.ts";
import type { GuestEvent } from "./port.ts";
import { ProtocolError } from "./wire.ts";

type RequestKind = "template-requested" | "fork-requested";

/** Of a kind: so many at once, then one in each interval. */
export const requestsAtOnce = 10;
export const requestsApartMs = 1000;
export const requestAllowance = (): Allowance =>
  new Allowance({ atOnce: requestsAtOnce, apartMs: requestsApartMs });

interface Lane {
  /** Handed on, and without an answer. */
  open: number | undefined;
  next: number | undefined;
  readonly allowance: Allowance;
  cancel: () => void;
}

const newLane = (): Lane => ({
  open: undefined,
  next: undefined,
  allowance: requestAllowance(),
  cancel: () => {},
});

export class GuestRequests {
  readonly #clock: Clock;
  readonly #hand: (event: GuestEvent) => void;
  readonly #lanes = { "template-requested": newLane(), "fork-requested": newLane() };
  #ready = false;

  constructor(clock: Clock, hand: (event: GuestEvent) => void) {
    this.#clock = clock;
    this.#hand = hand;
  }

  /** Somebody listens. */
  start(): void {
    this.#ready = true;
    for (const kind of ["template-requested", "fork-requested"] as const) this.#advance(kind);
  }

  /** `waiting` is false if nobody waits for a template any more. */
  take(kind: RequestKind, request: number, waiting: boolean): void {
    const lane = this.#lanes[kind];
    if (lane.open === request && waiting) return;
    if (kind === "fork-requested" && lane.open !== undefined) {
      throw new ProtocolError("the guest asks for a fork before the last one was answered");
    }
    lane.next = waiting ? request : undefined;
    if (lane.open !== undefined) this.#withdraw(lane);
    this.#advance(kind);
  }

  answered(kind: RequestKind, request: number): void {
    const lane = this.#lanes[kind];
    if (lane.open !== request) return;
    lane.open = undefined;
    this.#advance(kind);
  }

  close(): void {
    this.#ready = false;
    for (const lane of Object.values(this.#lanes)) lane.cancel();
  }

  #withdraw(lane: Lane): void {
    const request = lane.open as number;
    lane.open = undefined;
    this.#hand({ kind: "template-withdrawn", request });
  }

  #advance(kind: RequestKind): void {
    const lane = this.#lanes[kind];
    lane.cancel();
    if (!this.#ready || lane.open !== undefined || lane.next === undefined) return;
    const nowMs = this.#nowMs();
    const waitMs = lane.allowance.waitMs(nowMs);
    if (waitMs > 0) {
      lane.cancel = this.#clock.after(waitMs, () => this.#advance(kind));
      return;
    }
    lane.open = lane.next;
    lane.next = undefined;
    lane.allowance.spend(nowMs);
    this.#hand({ kind, request: lane.open });
  }

  #nowMs(): number {
    return this.#clock.monotonicUs() / 1000;
  }
}
