/**
 * The host's half of one of the agent's streams: stdin out, stdout and stderr in, each bounded by credit, so that a slow
 * reader holds up itself and nobody else.
 */
import { Duplex, Readable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import { Fields } from "./fields.ts";
import type { WireFrame } from "./frames.ts";
import type { GuestSession } from "./session.ts";
import {
  creditToGuest,
  creditToHost,
  keys,
  maxToGuest,
  ProtocolError,
  sides,
  types,
  windowToGuest,
} from "./wire.ts";

export interface StreamExit {
  readonly code: number;
  readonly signal: number;
}

export interface GuestStream {
  readonly io: Duplex;
  readonly stderr: Readable;
  readonly exit: Promise<StreamExit>;
  send(type: number, payload: Buffer): void;
  /** What the agent answered to the opening. */
  readonly opened: Promise<Buffer>;
  /** The agent kills what belongs to the stream, or tells it that its input is over. */
  close(): void;
}

export interface StreamOptions {
  readonly attempted: string;
  readonly timeoutMs: number;
  /** Bytes of input that may be sent before the agent has answered. */
  readonly credit?: number;
}

/** Resolves when the agent has started what `type` and `payload` ask for. */
export async function openGuestStream(
  session: GuestSession,
  type: number,
  payload: Buffer,
  options: StreamOptions,
): Promise<GuestStream> {
  const half = new StreamHalf(session, options);
  session.send(half.id, type, payload);
  const cancel = session.clock.after(options.timeoutMs, () =>
    half.abandon(
      new UniError(
        "timed_out",
        `${options.attempted}: the guest did not answer within ${options.timeoutMs} ms`,
      ),
    ),
  );
  try {
    await half.opened;
  } finally {
    cancel();
  }
  return half;
}

class StreamHalf implements GuestStream {
  readonly id: number;
  readonly io: Duplex;
  readonly stderr: Readable;
  readonly opened: Promise<Buffer>;
  readonly exit: Promise<StreamExit>;
  readonly #session: GuestSession;
  readonly #attempted: string;
  readonly #opening = Promise.withResolvers<Buffer>();
  readonly #ending = Promise.withResolvers<StreamExit>();
  readonly #out: Inlet;
  readonly #err: Inlet;
  #credit: number;
  #waiting: (() => void) | undefined;
  #done = false;

  constructor(session: GuestSession, { attempted, credit = creditToGuest }: StreamOptions) {
    this.#session = session;
    this.#attempted = attempted;
    this.#credit = credit;
    this.opened = this.#opening.promise;
    this.exit = this.#ending.promise;
    // Who only reads need not look at the exit status.
    this.exit.catch(() => {});
    this.opened.catch(() => {});
    this.id = session.openStream({
      frame: (frame) => this.#take(frame),
      broken: (error) => this.abandon(error, false),
    });
    this.#out = new Inlet((bytes) => this.#grant(sides.out, bytes));
    this.#err = new Inlet((bytes) => this.#grant(sides.err, bytes));
    this.io = new Duplex({
      read: () => this.#out.pull(),
      write: (chunk: Buffer, _encoding, done) => this.#write(chunk, done),
      final: (done) => {
        this.send(types.end, Buffer.alloc(0));
        done();
      },
      destroy: (error, done) => {
        this.close();
        done(error);
      },
      allowHalfOpen: true,
      emitClose: true,
    });
    this.stderr = new Readable({ read: () => this.#err.pull() });
    this.#out.attach(this.io);
    this.#err.attach(this.stderr);
    this.io.on("error", () => {});
    this.stderr.on("error", () => {});
  }

  send(type: number, payload: Buffer): void {
    if (!this.#done) this.#session.send(this.id, type, payload);
  }

  close(): void {
    if (this.#done) return;
    this.send(types.close, Buffer.alloc(0));
    this.abandon(new UniError("failed", `${this.#attempted}: closed`), false);
  }

  abandon(error: UniError, tell = true): void {
    if (this.#done) return;
    if (tell) this.send(types.close, Buffer.alloc(0));
    this.#finish();
    this.#opening.reject(error);
    this.#ending.reject(error);
    this.#out.end();
    this.#err.end();
    this.io.destroy(error);
    this.stderr.destroy(error);
  }

  #take(frame: WireFrame): void {
    switch (frame.type) {
      case types.opened:
        this.#opening.resolve(Buffer.from(frame.payload));
        return;
      case types.data:
        (frame.flags === sides.err ? this.#err : this.#out).take(Buffer.from(frame.payload));
        return;
      case types.credit: {
        if (frame.payload.length !== 4) throw new ProtocolError("malformed credit");
        this.#credit = Math.min(this.#credit + frame.payload.readUInt32LE(), windowToGuest);
        const waiting = this.#waiting;
        this.#waiting = undefined;
        waiting?.();
        return;
      }
      case types.streamFailed: {
        const fields = new Fields(frame.payload);
        const code = fields.number(keys.code);
        const message = `${this.#attempted}: ${fields.text(keys.reason)}`;
        this.abandon(new UniError("guest_failed", message, { cause: { exitCode: code } }), false);
        return;
      }
      case types.streamExited: {
        const fields = new Fields(frame.payload);
        this.#finish();
        this.#ending.resolve({ code: fields.number(keys.code), signal: fields.number(keys.signal) });
        this.#out.end();
        this.#err.end();
        // Nobody reads stdin any more: what is still to be written is dropped, as on a closed pipe.
        this.#waiting?.();
        this.#waiting = undefined;
        return;
      }
      default:
        throw new ProtocolError(`unknown stream frame ${frame.type}`);
    }
  }

  #finish(): void {
    this.#done = true;
    this.#session.forget(this.id);
  }

  #grant(side: number, bytes: number): void {
    if (this.#done) return;
    const payload = Buffer.alloc(4);
    payload.writeUInt32LE(bytes);
    this.#session.send(this.id, types.credit, payload, side);
  }

  #write(chunk: Buffer, done: (error?: Error | null) => void): void {
    let at = 0;
    const goOn = () => {
      while (at < chunk.length && this.#credit > 0 && !this.#done) {
        const part = chunk.subarray(at, at + Math.min(maxToGuest, this.#credit));
        this.#session.send(this.id, types.data, part);
        this.#credit -= part.length;
        at += part.length;
      }
      if (at >= chunk.length || this.#done) return done();
      this.#waiting = goOn;
    };
    goOn();
  }
}

/** Bytes on their way into a Readable; credit goes back when the Readable takes them. */
class Inlet {
  readonly #grant: (bytes: number) => void;
  #target: Readable | undefined;
  #queue: Buffer[] = [];
  #unread = 0;
  #ungranted = 0;
  #wants = false;
  #ended = false;

  constructor(grant: (bytes: number) => void) {
    this.#grant = grant;
  }

  attach(target: Readable): void {
    this.#target = target;
  }

  take(bytes: Buffer): void {
    if (this.#ended || bytes.length === 0) return;
    this.#unread += bytes.length;
    if (this.#unread > creditToHost) throw new ProtocolError("the guest sends more than it was granted");
    this.#queue.push(bytes);
    if (this.#wants) this.pull();
  }

  end(): void {
    this.#ended = true;
    if (this.#wants || this.#queue.length === 0) this.pull();
  }

  pull(): void {
    this.#wants = true;
    while (this.#wants && this.#queue.length > 0) {
      const bytes = this.#queue.shift() as Buffer;
      this.#unread -= bytes.length;
      this.#ungranted += bytes.length;
      this.#wants = this.#target?.push(bytes) === true;
    }
    // Credit in large pieces: a frame of its own for each small read would double the traffic.
    if (this.#ungranted >= creditToHost / 4) {
      this.#grant(this.#ungranted);
      this.#ungranted = 0;
    }
    if (this.#ended && this.#queue.length === 0) this.#target?.push(null);
  }
}
