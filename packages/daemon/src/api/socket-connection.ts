/**
 * One connection of the unix socket: requests one after the other, each a line, until one of them opens a stream, which
 * has the connection for itself to the end. What the client sends early is kept, up to a line's limit; then it waits.
 */

import { once } from "node:events";
import type { Socket } from "node:net";
import { toUniError, UniError } from "@uni/contract/errors";
import type { AccountId } from "@uni/contract/ids";
import { limits } from "@uni/contract/limits";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { FrameChannel } from "./frame-channel.ts";
import type { RpcAnswer } from "./rpc-answer.ts";
import { handleRpc, type RpcServices, requestTooLong } from "./rpc-handle.ts";
import { LineReader } from "./rpc-lines.ts";

export interface ConnectionContext {
  readonly services: RpcServices;
  readonly account: AccountId;
  readonly log: Log;
  readonly clock: Clock;
}

/** A line that was begun must be there in this time. */
const lineMs = 30_000;

/** For a client to take the last answer. */
const lastWordsMs = 10_000;

type Stream = Exclude<RpcAnswer, { kind: "value" }>;

export async function serveConnection(connection: Socket, context: ConnectionContext): Promise<void> {
  const gone = new AbortController();
  const leave = () => gone.abort(new UniError("unreachable", "The client went away"));
  connection.on("error", () => {}); // "close" follows.
  connection.once("close", leave);
  connection.once("end", leave);
  try {
    const opened = await serveLines(connection, gone.signal, context);
    if (opened !== undefined)
      await serveStream(connection, opened, { signal: gone.signal, log: context.log });
  } catch (error) {
    if (!gone.signal.aborted) context.log.error({ err: error }, "a connection of the socket failed");
  } finally {
    const cancel = context.clock.after(lastWordsMs, () => connection.destroy());
    connection.once("close", cancel);
    // Not destroyed once flushed: what the client still sends would reset the connection, and its last words with it.
    connection.end();
    connection.resume();
  }
}

interface Opened {
  readonly line: string;
  readonly stream: Stream;
  readonly rest: Buffer;
}

async function serveLines(
  connection: Socket,
  signal: AbortSignal,
  context: ConnectionContext,
): Promise<Opened | undefined> {
  const { services, account, log, clock } = context;
  const lines = new LineReader(limits.rpcLineBytes);
  let wake = () => {};
  const onData = (chunk: Buffer) => {
    lines.push(chunk);
    if (lines.length > limits.rpcLineBytes) connection.pause();
    wake();
  };
  connection.on("data", onData);
  signal.addEventListener("abort", () => wake(), { once: true });
  try {
    for (;;) {
      const line = lines.next();
      if (line === undefined) {
        if (signal.aborted) return undefined;
        connection.resume();
        const cancel = lines.length > 0 ? clock.after(lineMs, () => connection.destroy()) : () => {};
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        cancel();
        continue;
      }
      if (line.trim() === "") continue;
      const outcome = await handleRpc(services, line, { account, signal, log });
      if (outcome.kind === "stream") {
        // Until the stream listens, nothing may be read past it.
        connection.pause();
        return { ...outcome, rest: lines.rest() };
      }
      if (outcome.kind === "reply") await write(connection, outcome.line);
      outcome.after?.();
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    await write(connection, requestTooLong());
    return undefined;
  } finally {
    connection.off("data", onData);
  }
}

async function serveStream(
  connection: Socket,
  { line, stream, rest }: Opened,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Log },
): Promise<void> {
  connection.write(line);
  if (stream.kind === "raw") {
    const ended = stream.run(connection, signal);
    if (rest.length > 0) connection.emit("data", rest);
    connection.resume();
    return ended;
  }
  const channel = new FrameChannel(connection, signal);
  connection.on("data", (chunk: Buffer) => channel.push(chunk));
  channel.push(rest);
  connection.resume();
  try {
    await channel.finish({ result: await stream.run(channel) });
  } catch (thrown) {
    if (signal.aborted) return;
    const error = toUniError(thrown, "Internal error");
    if (error.code === "internal") log.error({ err: thrown }, "a stream failed");
    await channel.finish({ error });
  }
}

/** The next request is not read before the client took this answer. */
async function write(connection: Socket, text: string): Promise<void> {
  if (!connection.writable || connection.write(text)) return;
  const settled = new AbortController();
  const { signal } = settled;
  const wait = (event: string) => once(connection, event, { signal }).catch(() => undefined);
  await Promise.race([wait("drain"), wait("close")]);
  settled.abort(); // The listener of the one that lost goes too.
}
