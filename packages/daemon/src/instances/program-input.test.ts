import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { UniError } from "@uni/contract/errors";
import type { GuestChannel, GuestInput } from "../guest/port.ts";
import type { TerminalSize } from "../guest/terminal-size.ts";
import { ProgramInput } from "./program-input.ts";

/** A guest whose channel may break, and which then has accepted as much as the test says. */
class PretendedGuest {
  key: bigint | undefined;
  accepted = Buffer.alloc(0);
  /** Bytes on the channel that its agent has not taken. */
  underWay = Buffer.alloc(0);
  ends = 0;
  opened = 0;
  isDeaf = false;
  readonly sizes: TerminalSize[] = [];
  #over = Promise.withResolvers<"program" | "channel">();
  #blocked: (() => void)[] = [];

  take(length = this.underWay.length): void {
    this.accepted = Buffer.concat([this.accepted, this.underWay.subarray(0, length)]);
    this.underWay = this.underWay.subarray(length);
  }

  /** What its agent has not taken is gone. */
  break(): void {
    this.underWay = Buffer.alloc(0);
    this.#over.resolve("channel");
    this.#over = Promise.withResolvers();
    for (const fail of this.#blocked.splice(0)) fail();
  }

  channel(): GuestChannel {
    const openInput = async (key: bigint): Promise<GuestInput> => {
      this.opened += 1;
      const isKnown = this.key === key;
      if (!isKnown) {
        this.key = key;
        this.accepted = Buffer.alloc(0);
      }
      return {
        accepted: isKnown ? this.accepted.length : undefined,
        over: this.#over.promise,
        write: (bytes) => {
          if (this.isDeaf)
            return new Promise((_, reject) => this.#blocked.push(() => reject(new Error("broken"))));
          this.underWay = Buffer.concat([this.underWay, bytes]);
          return Promise.resolve();
        },
        end: () => {
          this.ends += 1;
        },
        resize: (size) => void this.sizes.push(size),
        close: () => this.break(),
      };
    };
    return { openInput } as unknown as GuestChannel;
  }
}

const bytes = (text: string) => Buffer.from(text);

test("what a broken channel lost is sent again, once, and so is the end", async () => {
  const input = new ProgramInput();
  const guest = new PretendedGuest();
  let channel = guest.channel();
  const reach = async () => channel;
  input.enter();
  await input.write(bytes("hello "), reach);
  guest.take();
  await input.write(bytes("world"), reach);
  await input.end(reach);
  guest.take(2);
  guest.break();
  channel = guest.channel();
  input.reached(channel);
  await setImmediate();
  guest.take();
  assert.equal(String(guest.accepted), "hello world");
  assert.equal(guest.ends, 2);
});

test("another program gets what comes from now on, and nothing that was the one's before", async () => {
  const input = new ProgramInput();
  const first = new PretendedGuest();
  input.enter();
  await input.write(bytes("first"), async () => first.channel());
  first.break();
  const second = new PretendedGuest();
  await input.write(bytes("second"), async () => second.channel());
  second.take();
  assert.equal(String(second.accepted), "second");
});

test("a terminal begins with the last size, and hears of each new one", async () => {
  const input = new ProgramInput();
  const guest = new PretendedGuest();
  const leave = input.enter();
  input.resize({ rows: 1, columns: 2 });
  assert.deepEqual([input.window, guest.sizes], [{ rows: 1, columns: 2 }, []]);
  input.reached(guest.channel());
  await setImmediate();
  input.resize({ rows: 3, columns: 4 });
  assert.deepEqual(guest.sizes, [
    { rows: 1, columns: 2 },
    { rows: 3, columns: 4 },
  ]);
  leave();
  leave();
  input.reached(guest.channel());
  await setImmediate();
  assert.equal(guest.opened, 1, "nobody is there to open it for");
});

test("without a program that takes it, input is dropped", async () => {
  const input = new ProgramInput();
  input.enter();
  const refuse = async () => {
    throw new UniError("wrong_state", "type to instance 'web': it is stopped");
  };
  await input.write(bytes("lost"), refuse);
  const guest = new PretendedGuest();
  await input.write(bytes("kept"), async () => guest.channel());
  guest.take();
  assert.equal(String(guest.accepted), "kept");
});

test("the last client that goes takes along what the program does not read", async () => {
  const input = new ProgramInput();
  const guest = new PretendedGuest();
  const channel = guest.channel();
  guest.isDeaf = true;
  const leave = input.enter();
  const writing = input.write(bytes("unread"), async () => channel);
  await setImmediate();
  leave();
  await writing;
  guest.isDeaf = false;
  const keyBefore = guest.key;
  input.enter();
  await input.write(bytes("next"), async () => guest.channel());
  guest.take();
  assert.equal(String(guest.accepted), "next");
  assert.notEqual(guest.key, keyBefore, "the next is somebody else to the guest");
});
