/**
 * What clients send to an instance's program. The guest's channel breaks whenever the instance sleeps on disk: what the guest
 * had not accepted then is sent again when it is reached anew, and nothing twice.
 */
import { randomBytes } from "node:crypto";
import type { GuestChannel, GuestInput } from "../guest/port.ts";
import type { TerminalSize } from "../guest/terminal-size.ts";

/** The guest that is to have it, awake; rejects where there is none. */
export type Reach = () => Promise<GuestChannel>;

interface OpenInput {
  readonly input: GuestInput;
  readonly channel: GuestChannel;
}

/** An agent accepts what it gave credit for: more can never be under way. */
const mostUnderWay = 256 << 10;

export class ProgramInput {
  /** As the client that came last has it, or the size of a terminal that nobody has seen yet. */
  window: TerminalSize = { rows: 24, columns: 80 };
  #clients = 0;
  #key = newKey();
  #guest: OpenInput | undefined;
  /** Bytes that clients sent since the key was drawn, those of them given to the channel, and the last of all. */
  #total = 0;
  #given = 0;
  #kept = Buffer.alloc(0);
  #ended = false;
  #tail: Promise<void> = Promise.resolve();

  /** A client has come; the returned function ends it, and with the last one what was not given yet is dropped. */
  enter(): () => void {
    this.#clients += 1;
    let isHere = true;
    return () => {
      if (!isHere) return;
      isHere = false;
      this.#clients -= 1;
      if (this.#clients === 0) this.#forget();
    };
  }

  /** Resolves when the guest has room for more. Where no program takes input it is dropped. */
  write(bytes: Uint8Array, reach: Reach): Promise<void> {
    return this.#serially(async () => {
      for (let at = 0; at < bytes.length && this.#clients > 0; at += mostUnderWay) {
        const piece = bytes.subarray(at, at + mostUnderWay);
        this.#kept = Buffer.concat([this.#kept, piece]);
        this.#total += piece.length;
        await this.#give(reach);
      }
    });
  }

  /** The program reads an end; a terminal has none. */
  end(reach: Reach): Promise<void> {
    return this.#serially(async () => {
      this.#ended = true;
      await this.#give(reach);
    });
  }

  resize(window: TerminalSize): void {
    this.window = window;
    this.#guest?.input.resize(window);
  }

  /** The instance runs, or runs again. */
  reached(channel: GuestChannel): void {
    if (this.#clients > 0) void this.#serially(() => this.#give(async () => channel));
  }

  async #give(reach: Reach): Promise<void> {
    try {
      do {
        const { input } = await this.#open(reach);
        const rest = this.#kept.subarray(this.#kept.length - (this.#total - this.#given));
        const isGiven = await input.write(rest).then(
          () => true,
          () => false,
        );
        if (isGiven) this.#given = this.#total;
        if (isGiven && this.#ended) input.end();
      } while (this.#given < this.#total && this.#clients > 0);
    } catch {
      // Nobody is there to read it.
      this.#given = this.#total;
    }
    this.#kept = this.#kept.subarray(Math.max(0, this.#kept.length - mostUnderWay));
  }

  async #open(reach: Reach): Promise<OpenInput> {
    const channel = await reach();
    if (this.#guest?.channel === channel) return this.#guest;
    const input = await channel.openInput(this.#key);
    const guest = { input, channel };
    if (this.#clients === 0) input.close();
    this.#guest = guest;
    const { accepted = this.#given } = input;
    const oldest = this.#total - this.#kept.length;
    this.#given = Math.min(Math.max(accepted, oldest), this.#total);
    void input.over.then(() => {
      if (this.#guest === guest) this.#guest = undefined;
    });
    input.resize(this.window);
    return guest;
  }

  #forget(): void {
    this.#guest?.input.close();
    this.#guest = undefined;
    void this.#serially(async () => {
      if (this.#clients > 0) return;
      this.#key = newKey();
      this.#total = 0;
      this.#given = 0;
      this.#kept = Buffer.alloc(0);
      this.#ended = false;
    });
  }

  #serially(task: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail.then(task);
    return this.#tail;
  }
}

/** Not 0. */
const newKey = (): bigint => randomBytes(8).readBigUInt64LE() | 1n;
