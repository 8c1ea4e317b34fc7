import type { Socket } from "node:net";
import { UniError } from "@uni/contract/errors";
import type { CallOptions } from "./client.ts";
import { openSocket } from "./socket-connection.ts";
import { errorFromReply } from "./wire-errors.ts";

export interface Reply {
  readonly result: unknown;
  /** Still paused; bytes that followed the reply line are back in its buffer. */
  readonly socket: Socket;
}

const defaultTimeoutMs = 120_000;
const longestReply = 256 << 20;

function deadlineSignal({ signal, timeoutMs = defaultTimeoutMs }: CallOptions): AbortSignal | undefined {
  if (timeoutMs === Infinity) return signal;
  const deadline = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
}

function abortReason(signal: AbortSignal, method: string): unknown {
  const timedOut = signal.reason instanceof DOMException && signal.reason.name === "TimeoutError";
  return timedOut
    ? new UniError("timed_out", `calling ${method}: the daemon did not answer in time`)
    : signal.reason;
}

/** Reads up to the first newline; what follows it is given back to the socket, which is left paused. */
function readLine(socket: Socket, method: string, signal: AbortSignal | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (settle: () => void) => {
      socket.off("data", onData);
      socket.off("end", onEnd);
      socket.off("error", onError);
      signal?.removeEventListener("abort", onAbort);
      settle();
    };
    const fail = (error: unknown) => finish(() => reject(error));
    const onAbort = () => fail(signal === undefined ? undefined : abortReason(signal, method));
    const onEnd = () =>
      fail(new UniError("unreachable", `calling ${method}: unid closed the connection before it answered`));
    const onError = (cause: NodeJS.ErrnoException) => {
      const lost = cause.code === "ECONNRESET" || cause.code === "EPIPE";
      const reason = lost ? "the connection to unid was lost" : cause.message;
      const hint = "See whether the daemon still runs: uni info.";
      fail(new UniError("unreachable", `calling ${method}: ${reason}`, lost ? { hint, cause } : { cause }));
    };
    const onData = (chunk: Buffer) => {
      const newline = chunk.indexOf(10);
      length += chunk.length;
      if (newline < 0 && length > longestReply) {
        return fail(new UniError("internal", `calling ${method}: the answer is too long`));
      }
      chunks.push(newline < 0 ? chunk : chunk.subarray(0, newline));
      if (newline < 0) return;
      finish(() => {
        socket.pause();
        const rest = chunk.subarray(newline + 1);
        if (rest.length > 0) socket.unshift(rest);
        resolve(Buffer.concat(chunks));
      });
    };
    if (signal?.aborted) return onAbort();
    socket.on("data", onData);
    socket.on("end", onEnd);
    socket.on("error", onError);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function parseReply(line: Buffer, method: string): unknown {
  let reply: unknown;
  try {
    reply = JSON.parse(line.toString("utf8"));
  } catch (cause) {
    throw new UniError("internal", `calling ${method}: the answer is not JSON`, { cause });
  }
  if (typeof reply !== "object" || reply === null || Array.isArray(reply)) {
    throw new UniError("internal", `calling ${method}: the answer is not a JSON-RPC reply`);
  }
  if ("error" in reply && reply.error !== undefined && reply.error !== null) {
    throw errorFromReply(reply.error, method);
  }
  return (reply as { result?: unknown }).result;
}

/** One request on a connection of its own. The caller owns the socket in the reply and destroys it. */
export async function request(
  socketPath: string,
  method: string,
  params: unknown,
  options: CallOptions = {},
): Promise<Reply> {
  const signal = deadlineSignal(options);
  const socket = await openSocket(socketPath, signal);
  try {
    socket.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })}\n`);
    const result = parseReply(await readLine(socket, method, signal), method);
    return { result, socket };
  } catch (error) {
    socket.on("error", () => {});
    socket.destroy();
    throw error;
  }
}

export async function callOnce(
  socketPath: string,
  method: string,
  params: unknown,
  options: CallOptions = {},
): Promise<unknown> {
  const { result, socket } = await request(socketPath, method, params, options);
  socket.destroy();
  return result;
}
