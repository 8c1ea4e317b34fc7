/** Frames sent and heard at devices, past the network stack of whoever has them (raw-frames.c). */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { compiled } from "./compiled.ts";

export interface Sender {
  /** Resolves to "sent", or to why the device did not take it. */
  send(frame: Buffer): Promise<string>;
  end(): Promise<void>;
}

export interface Listener {
  /** Whether one of the frames so far holds this text, and is of this kind. */
  heard(text: string, kind?: (frame: Buffer) => boolean): boolean;
  end(): Promise<void>;
}

/** In a network namespace of this name; undefined: here. */
export function sendAt(namespace: string | undefined, device: string): Sender {
  const child = start(namespace, ["send", device]);
  const waiting: ((line: string) => void)[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.(line));
  return {
    send(frame) {
      const { promise, resolve } = Promise.withResolvers<string>();
      waiting.push(resolve);
      child.stdin.write(`${frame.toString("hex")}\n`);
      return promise;
    },
    end: () => ended(child),
  };
}

export const hearAt = (namespace: string | undefined, device: string): Promise<Listener> =>
  listen(start(namespace, ["hear", device]));

/** What gets as far as sockets of the host. */
export const hearHost = (): Promise<Listener> => listen(start(undefined, ["hear-host"]));

async function listen(child: ReturnType<typeof start>): Promise<Listener> {
  const frames: Buffer[] = [];
  const lines = createInterface({ input: child.stdout });
  await once(lines, "line");
  lines.on("line", (line) => void frames.push(Buffer.from(line, "hex")));
  return {
    heard: (text, kind = () => true) => frames.some((frame) => frame.includes(text) && kind(frame)),
    end: () => ended(child),
  };
}

function start(namespace: string | undefined, args: readonly string[]) {
  const command = [compiled("raw-frames"), ...args];
  const inside =
    namespace === undefined ? command : ["nsenter", `--net=/run/netns/${namespace}`, "--", ...command];
  const [first = "", ...rest] = inside;
  return spawn(first, rest, { stdio: ["pipe", "pipe", "inherit"] });
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = child.exitCode === null ? once(child, "exit") : undefined;
  child.kill("SIGKILL");
  await exit;
}
