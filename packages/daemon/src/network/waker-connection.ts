/** Speaks with the process of native/waker: a line out, a line back, and reports in between. */
import { connect, type Socket } from "node:net";
import { UniError } from "@uni/contract/errors";
import { parseAddress } from "./addresses.ts";
import type { WakeHandler, WakeOrigin } from "./port.ts";

export interface WakerConnection {
  /** Rejects unless the answer is "ok", or what `expect` says. */
  command(line: string, expect?: RegExp): Promise<string>;
  /** Resolves when it is over, for whatever reason. */
  readonly ended: Promise<void>;
}

/** Undefined if nobody listens there. */
export async function connectWaker(path: string, report: WakeHandler): Promise<WakerConnection | undefined> {
  const socket = connect(path);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  return (await promise) ? speak(socket, report) : undefined;
}

interface Waiting {
  readonly line: string;
  readonly expect: RegExp;
  readonly answer: PromiseWithResolvers<string>;
}

function speak(socket: Socket, report: WakeHandler): WakerConnection {
  const waiting: Waiting[] = [];
  const ended = Promise.withResolvers<void>();
  let rest = "";
  // An answer that is waited for keeps the process going; listening for reports does not.
  socket.unref();
  socket.setEncoding("utf8");
  socket.on("error", () => {}); // "close" follows.
  socket.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (!readReport(line, report)) settle(line);
  });
  socket.on("close", () => {
    for (const { line, answer } of waiting.splice(0)) answer.reject(lost(line));
    ended.resolve();
  });

  function settle(text: string): void {
    const next = waiting.shift();
    if (waiting.length === 0) socket.unref();
    if (next === undefined) socket.destroy();
    else if (next.expect.test(text)) next.answer.resolve(text);
    else next.answer.reject(new UniError("internal", `tell the waker "${next.line}": it says "${text}"`));
  }

  return {
    ended: ended.promise,
    command(line, expect = /^ok$/) {
      if (socket.destroyed) return Promise.reject(lost(line));
      const answer = Promise.withResolvers<string>();
      waiting.push({ line, expect, answer });
      socket.ref();
      socket.write(`${line}\n`);
      return answer.promise;
    },
  };
}

const kinds: readonly WakeOrigin["kind"][] = ["tcp", "udp", "icmp", "other"];

function readReport(line: string, report: WakeHandler): boolean {
  const [word, address = "", kind, source = ""] = line.split(" ");
  if (word !== "packet") return false;
  const known = kinds.find((name) => name === kind);
  if (known !== undefined && parseAddress(address) !== undefined) report(address, { kind: known, source });
  return true;
}

const lost = (line: string): UniError =>
  new UniError("failed", `tell the waker "${line}": the connection to it is lost`);
