/**
 * The JSON-RPC listener on a unix socket, for the people of this machine: who may open the file may do everything.
 */
import { lstatSync, unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { UniError } from "@uni/contract/errors";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { ApiDependencies } from "./port.ts";
import { createRpcServices } from "./rpc-services.ts";
import { serveConnection } from "./socket-connection.ts";

export interface SocketOptions {
  readonly path: string;
  readonly log: Log;
  readonly clock?: Clock;
  /** Of the socket's file; default 0600. */
  readonly mode?: number;
}

export interface SocketListener {
  close(): Promise<void>;
}

const maxConnections = 512;
const probeMs = 2_000;
/** sun_path of unix(7) holds 108 bytes with the final NUL. */
const longestPath = 107;

export async function startSocket(
  dependencies: ApiDependencies,
  options: SocketOptions,
): Promise<SocketListener> {
  const { path, log, clock = systemClock, mode = 0o600 } = options;
  if (Buffer.byteLength(path) > longestPath) {
    throw new UniError("invalid_value", `listen on ${path}: the path is longer than ${longestPath} bytes`, {
      hint: "Choose a shorter one with --socket.",
    });
  }
  await removeStale(path, clock);
  const services = createRpcServices(dependencies, clock);
  const open = new Set<Socket>();
  // Half-open: a client may send its request and close its side, as `nc -U` does, and still read the answer.
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    open.add(connection);
    connection.once("close", () => open.delete(connection));
    void serveConnection(connection, { services, account: dependencies.socketAccount, log, clock });
  });
  server.maxConnections = maxConnections;
  await listen(server, path, mode);
  server.on("error", (error) => log.error({ err: error, path }, "the socket failed"));
  return { close: () => closeServer(server, open) };
}

/** A socket file that nobody answers on was left by a daemon that died. Anything else there is not ours to remove. */
async function removeStale(path: string, clock: Clock): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new UniError("in_use", `listen on ${path}: there is a file that is no socket`, {
      hint: "Remove it, or choose another path with --socket.",
    });
  }
  if (await answers(path, clock)) {
    throw new UniError("in_use", `listen on ${path}: another daemon answers there`, {
      hint: "Stop it, or choose another path with --socket.",
    });
  }
  unlinkSync(path);
}

/** Only a refused connection proves that nobody listens; a busy daemon must not lose its socket. */
function answers(path: string, clock: Clock): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const probe = connect(path);
  const cancel = clock.after(probeMs, () => resolve(true));
  probe.once("connect", () => resolve(true));
  probe.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
    else reject(new UniError("failed", `ask who listens on ${path}: ${error.message}`, { cause: error }));
  });
  return promise.finally(() => {
    cancel();
    probe.destroy();
  });
}

/** `listen` binds before it returns, so the mask gives the file its mode from its first instant. */
function listen(server: Server, path: string, mode: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("listening", resolve);
  server.once("error", (error) => reject(listenError(path, error)));
  const before = process.umask(0o777 & ~mode);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  return promise;
}

/** Node reports a missing directory as EACCES. */
function listenError(path: string, cause: Error): UniError {
  const directory = dirname(path);
  const there = lstatSync(directory, { throwIfNoEntry: false }) !== undefined;
  const reason = there ? cause.message : `there is no directory ${directory}`;
  return new UniError("failed", `listen on ${path}: ${reason}`, {
    hint: there ? "Choose another path with --socket." : "Make it, or choose another path with --socket.",
    cause,
  });
}

function closeServer(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  for (const connection of open) connection.destroy();
  return promise;
}
