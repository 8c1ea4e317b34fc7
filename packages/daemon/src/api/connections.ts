/**
 * A bound on connections that idle and slow ones cannot use up: over it, the newest is let in, and one that has not shown yet
 * whose it is makes room for it, or else one that waits for its next request. The address that has the most of them gives one up.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

interface Connection {
  readonly address: string;
  /** A request with a valid token came over it. */
  trusted: boolean;
  /** Requests that are being answered. */
  busy: number;
}

export class Connections {
  readonly #most: number;
  /** Who has been idle for longest comes first. */
  readonly #open = new Map<Socket, Connection>();

  constructor(most: number) {
    this.#most = most;
  }

  watch(server: Server): void {
    server.on("connection", (socket) => this.#enter(socket));
    server.on("request", (request, response) => this.#serve(request, response));
  }

  trust(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection !== undefined) connection.trusted = true;
  }

  #enter(socket: Socket): void {
    if (this.#open.size >= this.#most) {
      const victim = this.#victim();
      (victim ?? socket).destroy();
      if (victim === undefined) return;
      this.#open.delete(victim);
    }
    this.#open.set(socket, { address: socket.remoteAddress ?? "", trusted: false, busy: 0 });
    socket.once("close", () => this.#open.delete(socket));
  }

  #serve({ socket }: IncomingMessage, response: ServerResponse): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    connection.busy += 1;
    response.once("close", () => {
      connection.busy -= 1;
      if (!this.#open.delete(socket) || socket.destroyed) return;
      this.#open.set(socket, connection);
    });
  }

  #victim(): Socket | undefined {
    const all = [...this.#open];
    return (
      oldestOfMost(all.filter(([, { trusted }]) => !trusted)) ??
      oldestOfMost(all.filter(([, { busy }]) => busy === 0))
    );
  }
}

function oldestOfMost(candidates: readonly (readonly [Socket, Connection])[]): Socket | undefined {
  const counts = new Map<string, number>();
  for (const [, { address }] of candidates) counts.set(address, (counts.get(address) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return candidates.find(([, { address }]) => counts.get(address) === most)?.[0];
}
