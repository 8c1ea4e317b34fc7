/** Who holds the ports that the edge needs. */
import { UniError } from "@uni/contract/errors";
import { type ListeningSocket, listeningSockets, ownerOfSocket } from "../host/listening-sockets.ts";
import type { ProcessIdentity } from "../host/process-identity.ts";

export interface TakenPort {
  readonly port: number;
  readonly words: string;
}

/** Those of `ports` that others than `own` listen on. */
export async function takenPorts(
  bind: string,
  ports: readonly number[],
  own: readonly ProcessIdentity[],
): Promise<TakenPort[]> {
  const taken = new Map<number, TakenPort>();
  const sockets = await listeningSockets();
  for (const socket of sockets.filter((each) => ports.includes(each.port) && overlaps(each, bind))) {
    const owner = await ownerOfSocket(socket.inode);
    if (own.some(({ pid }) => pid === owner?.pid)) continue;
    const who = owner === undefined ? "somebody" : `${owner.name} (process ${owner.pid})`;
    taken.set(socket.port, {
      port: socket.port,
      words: `publish port ${socket.port} at the edge: ${who} listens on ${socket.address}:${socket.port}`,
    });
  }
  return [...taken.values()];
}

export async function requireFreePorts(
  bind: string,
  ports: readonly number[],
  own: readonly ProcessIdentity[],
): Promise<void> {
  const [first] = await takenPorts(bind, ports, own);
  if (first === undefined) return;
  throw new UniError("port_in_use", first.words, {
    hint: "End that, publish another port, or let the edge listen on another address: unid --edge-bind.",
  });
}

const any = ["0.0.0.0", "::"];

const overlaps = ({ protocol, address }: ListeningSocket, bind: string): boolean =>
  protocol === "tcp" && (address === bind || any.includes(address) || any.includes(bind));
