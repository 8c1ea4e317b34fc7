import type { Socket } from "node:net";
import { UniError } from "@uni/contract/errors";
import { PatientSocket } from "./patient-socket.ts";

const connectDeadlineMs = 10_000;

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such socket",
  ECONNREFUSED: "nobody is listening on it",
  ENOTSOCK: "it is not a socket",
  EACCES: "permission denied",
  EAGAIN: "the daemon's queue of connections is full",
};

function connectError(path: string, cause: NodeJS.ErrnoException): UniError {
  const reason = reasons[cause.code ?? ""] ?? cause.message;
  if (cause.code === "EACCES") {
    return new UniError("not_allowed", `connecting to unid at ${path}: ${reason}`, {
      hint: "Run as root, or as a user who may open the socket.",
      cause,
    });
  }
  return new UniError("unreachable", `connecting to unid at ${path}: ${reason}`, {
    hint: "Start the daemon with bin/unid, or set UNI_SOCKET (or --socket) to the socket of one that runs.",
    cause,
  });
}

/** Opens the daemon's unix socket. The caller owns it and destroys it. */
export function openSocket(path: string, signal?: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const socket = new PatientSocket();
    const finish = (settle: () => void) => {
      signal?.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      socket.off("timeout", onTimeout);
      settle();
    };
    const fail = (error: unknown) =>
      finish(() => {
        socket.on("error", () => {});
        socket.destroy();
        reject(error);
      });
    const onError = (error: NodeJS.ErrnoException) => fail(connectError(path, error));
    const onTimeout = () => fail(new UniError("unreachable", `connecting to unid at ${path}: no answer`));
    const onAbort = () => fail(signal?.reason);
    socket.setTimeout(connectDeadlineMs);
    socket.once("error", onError);
    socket.once("timeout", onTimeout);
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.connect(path);
    socket.once("connect", () =>
      finish(() => {
        socket.setTimeout(0);
        resolve(socket);
      }),
    );
  });
}
