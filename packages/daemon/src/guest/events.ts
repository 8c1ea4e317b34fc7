/**
 * Events and log of a machine, handed on one by one, each acknowledged when its handler is done. Until then the agent
 * keeps it, so nothing is lost with this process. What a hostile guest sends beyond what an honest one can have under
 * way ends the channel.
 */
import type { Log } from "../base/log.ts";
import { Fields } from "./fields.ts";
import type { WireFrame } from "./frames.ts";
import type { GuestEvent } from "./port.ts";
import { GuestRequests } from "./requests.ts";
import type { GuestSession } from "./session.ts";
import { eventKinds, keys, logStreams, logWindow, ProtocolError, types } from "./wire.ts";

type Handler = (event: GuestEvent) => Promise<void> | void;

interface Queued {
  readonly event: GuestEvent;
  readonly acknowledge: () => void;
  readonly cost: number;
}

/** Twice an honest agent's window, and as many events as it keeps. */
const maxQueuedBytes = 2 * logWindow;
const maxQueuedItems = 20_000;
/** Output is acknowledged when this much is done, or nothing is left to do. */
const ackBytes = 32 << 10;

export class EventQueue {
  readonly requests: GuestRequests;
  readonly #session: GuestSession;
  readonly #log: Log;
  #handler: Handler | undefined;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #running = false;
  #logDone: number;
  #logAcked: number;

  constructor(session: GuestSession, log: Log, logOffset: number) {
    this.#session = session;
    this.#log = log;
    this.#logDone = logOffset;
    this.#logAcked = logOffset;
    this.requests = new GuestRequests(session.clock, (event) => void this.#handle(event));
    void session.closed.then(() => this.requests.close());
  }

  handle(handler: Handler): void {
    this.#handler = handler;
    this.requests.start();
    void this.#run();
  }

  /** True if the frame was an event's; throws ProtocolError if it is malformed. */
  take(frame: WireFrame): boolean {
    if (this.#takeRequest(frame)) return true;
    const queued = this.#decode(frame);
    if (queued === undefined) return false;
    this.#queue.push(queued);
    this.#queuedBytes += queued.cost;
    if (this.#queuedBytes > maxQueuedBytes || this.#queue.length > maxQueuedItems) {
      throw new ProtocolError("the guest sends more output than was acknowledged");
    }
    void this.#run();
    return true;
  }

  /** Resolves when everything that came so far is handled. */
  async drained(): Promise<void> {
    if (this.#handler === undefined || (this.#queue.length === 0 && !this.#running)) return;
    await new Promise<void>((resolve) => {
      this.#queue.push({ event: { kind: "log-lost", offset: 0, bytes: 0 }, acknowledge: resolve, cost: -1 });
      void this.#run();
      void this.#session.closed.then(resolve);
    });
  }

  /** A request: handed on aside from the queue, for what it asks for takes long. */
  async #handle(event: GuestEvent): Promise<void> {
    try {
      await this.#handler?.(event);
    } catch (error) {
      this.#fail(error);
    }
  }

  #takeRequest({ type, payload }: WireFrame): boolean {
    if (type !== types.event || payload.length < 9) return false;
    const kind = payload.readUInt8(8);
    if (kind !== eventKinds.templateRequested && kind !== eventKinds.forkRequested) return false;
    const fields = new Fields(payload.subarray(9));
    this.#session.send(0, types.eventAck, u64(payload.readBigUInt64LE()));
    this.requests.take(
      kind === eventKinds.forkRequested ? "fork-requested" : "template-requested",
      fields.number(keys.request),
      fields.number(keys.count) !== 0,
    );
    return true;
  }

  async #run(): Promise<void> {
    if (this.#running || this.#handler === undefined) return;
    this.#running = true;
    try {
      for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift()) {
        if (item.cost >= 0) await this.#handler(item.event);
        this.#queuedBytes -= Math.max(item.cost, 0);
        item.acknowledge();
      }
      this.#ackLog();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#running = false;
    }
  }

  /** What was not acknowledged, or has no answer, the agent repeats to the next channel. */
  #fail(error: unknown): void {
    this.#log.error({ err: error }, "a guest event could not be handled");
    this.#session.fail(error);
  }

  #decode(frame: WireFrame): Queued | undefined {
    switch (frame.type) {
      case types.event:
        return this.#decodeEvent(frame.payload);
      case types.log:
        return this.#decodeLog(frame.payload);
      case types.logLost: {
        if (frame.payload.length !== 16) throw new ProtocolError("malformed report of lost output");
        const offset = readCount(frame.payload, 0);
        const bytes = readCount(frame.payload, 8);
        return this.#logItem({ kind: "log-lost", offset, bytes }, offset + bytes, 0);
      }
      default:
        return undefined;
    }
  }

  #decodeLog(payload: Buffer): Queued {
    if (payload.length < 17) throw new ProtocolError("malformed output");
    const stream = logStreams[payload.readUInt8(16) as keyof typeof logStreams];
    if (stream === undefined) throw new ProtocolError("output of an unknown stream");
    const offset = readCount(payload, 0);
    const timeMs = readCount(payload, 8);
    const bytes = Buffer.from(payload.subarray(17));
    return this.#logItem({ kind: "log", stream, offset, timeMs, bytes }, offset + bytes.length, bytes.length);
  }

  #logItem(event: GuestEvent, end: number, cost: number): Queued {
    const acknowledge = () => {
      this.#logDone = end;
      if (end - this.#logAcked >= ackBytes) this.#ackLog();
    };
    return { event, acknowledge, cost };
  }

  #ackLog(): void {
    if (this.#logDone === this.#logAcked) return;
    this.#logAcked = this.#logDone;
    this.#session.send(0, types.logAck, u64(BigInt(this.#logDone)));
  }

  #decodeEvent(payload: Buffer): Queued {
    if (payload.length < 9) throw new ProtocolError("malformed event");
    const sequence = payload.readBigUInt64LE();
    const fields = new Fields(payload.subarray(9));
    const event = decodeEvent(payload.readUInt8(8), fields);
    const acknowledge = () => this.#session.send(0, types.eventAck, u64(sequence));
    return { event, acknowledge, cost: 0 };
  }
}

function decodeEvent(kind: number, fields: Fields): GuestEvent {
  switch (kind) {
    case eventKinds.started:
      return { kind: "started", us: fields.number(keys.us) };
    case eventKinds.listening:
      return { kind: "listening", port: fields.number(keys.port), us: fields.number(keys.us) };
    case eventKinds.oom:
      return { kind: "oom", process: fields.text(keys.process), rssKb: fields.number(keys.rssKb) };
    case eventKinds.exited:
      return {
        kind: "exited",
        code: fields.number(keys.code),
        signal: fields.number(keys.signal),
        oomKilled: fields.number(keys.oomKilled) !== 0,
      };
    case eventKinds.startFailed:
      return { kind: "start-failed", code: fields.number(keys.code), reason: fields.text(keys.reason) };
    case eventKinds.inhibited:
      return { kind: "inhibited", count: fields.number(keys.count) };
    default:
      throw new ProtocolError(`unknown event ${kind}`);
  }
}

/** Sums of two are still whole numbers, they fit into 64 bits again, and one in ms is a time that can be shown. */
const maxCount = 2n ** 52n;

function readCount(payload: Buffer, at: number): number {
  const value = payload.readBigUInt64LE(at);
  if (value > maxCount) throw new ProtocolError("an offset or a time that no output comes to");
  return Number(value);
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
