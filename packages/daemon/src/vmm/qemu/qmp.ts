/**
 * Client of QEMU's machine protocol (qemu-qmp-ref(7)): one JSON object a line, answers in the order of the questions, events in
 * between. QEMU takes in what it is asked byte by byte, with seven system calls each (monitor_can_read in
 * monitor/monitor.c): what says nothing, as ids and empty arguments, is left out.
 */
import { createConnection, type Socket } from "node:net";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import { LineSplitter } from "./qmp-lines.ts";

export interface QmpEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Qmp {
  /** The `return` value. Rejects with `vmm_failed` on an error answer, after the deadline, and when the connection breaks. */
  execute(command: string, args?: object, deadlineMs?: number): Promise<unknown>;
  readonly isClosed: boolean;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  close(): void;
}

/** Stays in its place when its deadline has passed: the answer that comes late is its own. */
interface Waiting {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: UniError) => void;
  readonly cancelTimer: () => void;
}

const commandDeadlineMs = 10_000;

type Message = Readonly<Record<string, unknown>>;

/** Connects to a socket that exists; resolves once QEMU greeted and took the capabilities. */
export async function connectQmp(
  path: string,
  clock: Clock,
  onEvent: (event: QmpEvent) => void,
  signal: AbortSignal,
): Promise<Qmp> {
  const socket = await connectSocket(path, signal);
  const session = openSession(socket, path, clock, onEvent);
  const onAbort = () => session.close();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await session.greeted;
    await session.execute("qmp_capabilities");
    signal.throwIfAborted();
    return session;
  } catch (error) {
    session.close();
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function openSession(
  socket: Socket,
  path: string,
  clock: Clock,
  onEvent: (event: QmpEvent) => void,
): Qmp & { readonly greeted: Promise<void> } {
  const greeted = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const waiting: Waiting[] = [];
  const splitter = new LineSplitter();
  let isClosed = false;

  const answer = (message: Message): void => {
    const isAnswer = "return" in message || "error" in message;
    const asked = isAnswer ? waiting.shift() : undefined;
    if (asked === undefined) return;
    asked.cancelTimer();
    if ("error" in message) {
      const reason = String(asRecord(message["error"])["desc"] ?? "no reason given");
      asked.reject(new UniError("vmm_failed", `ask QEMU at ${path} for ${asked.command}: ${reason}`));
    } else asked.resolve(message["return"]);
  };

  const onMessage = (message: Message): void => {
    if ("QMP" in message) greeted.resolve();
    else if (typeof message["event"] === "string") {
      onEvent({ name: message["event"], data: asRecord(message["data"]) });
    } else answer(message);
  };

  socket.on("data", (chunk: Buffer) => {
    try {
      for (const line of splitter.push(chunk)) {
        if (line.trim() !== "") onMessage(asRecord(JSON.parse(line)));
      }
    } catch {
      socket.destroy(); // What does not speak QMP is of no use; the owner sees `closed` and connects again.
    }
  });
  socket.on("error", () => {}); // "close" follows.
  socket.on("close", () => {
    isClosed = true;
    greeted.reject(new UniError("vmm_failed", `connect to QEMU at ${path}: it closed the connection`));
    for (const asked of waiting.splice(0)) {
      asked.cancelTimer();
      asked.reject(
        new UniError("vmm_failed", `ask QEMU at ${path} for ${asked.command}: the connection broke`),
      );
    }
    closed.resolve();
  });
  greeted.promise.catch(() => {});

  return {
    greeted: greeted.promise,
    closed: closed.promise,
    get isClosed() {
      return isClosed;
    },
    close: () => void socket.destroy(),
    execute(command, args, deadlineMs = commandDeadlineMs) {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      if (isClosed) {
        reject(new UniError("vmm_failed", `ask QEMU at ${path} for ${command}: not connected`));
        return promise;
      }
      const cancelTimer = clock.after(deadlineMs, () =>
        reject(
          new UniError("vmm_failed", `ask QEMU at ${path} for ${command}: no answer in ${deadlineMs} ms`),
        ),
      );
      waiting.push({ command, resolve, reject, cancelTimer });
      socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
      return promise;
    },
  };
}

function connectSocket(path: string, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  signal.throwIfAborted();
  const socket = createConnection({ path });
  const onAbort = () => socket.destroy(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const settle = () => signal.removeEventListener("abort", onAbort);
  socket.once("connect", () => {
    settle();
    resolve(socket);
  });
  socket.once("error", (error) => {
    settle();
    reject(error);
  });
  return promise;
}

const asRecord = (value: unknown): Message =>
  typeof value === "object" && value !== null ? (value as Message) : {};
