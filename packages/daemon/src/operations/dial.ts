/** Connecting to a program in an instance from the host. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";
import { withDeadline } from "../base/deadline.ts";
import type { InstanceRecord } from "../instances/record.ts";
import type { Registry } from "../instances/registry.ts";

/** A guest that is there answers at once, if only that nobody listens. */
const answerMs = 10_000;

/** The other side's end leaves ours open. Its errors reach whoever reads; that the instance stops is one of them. */
export async function dial(
  { clock, registry }: { readonly clock: Clock; readonly registry: Pick<Registry, "onChange"> },
  { id, name, address }: Pick<InstanceRecord, "id" | "name" | "address">,
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  const attempted = `connect to port ${port} of instance '${name}'`;
  const socket = connect({ host: address, port, allowHalfOpen: true });
  socket.on("error", () => {});
  // A machine that ends sends no last word, and one that goes to sleep on disk ends with its connections open.
  const unwatch = registry.onChange((after, before) => {
    if (before?.id !== id || (after !== undefined && after.status.state !== "stopped")) return;
    socket.destroy(
      new UniError("unreachable", `connection to port ${port} of instance '${name}': it stopped`),
    );
  });
  socket.once("close", unwatch);
  try {
    await withDeadline({ clock, ms: answerMs, attempted, signal }, async (limited) => {
      await once(socket, "connect", { signal: limited }).catch((error: unknown) => {
        throw limited.aborted ? limited.reason : error;
      });
    });
    return socket;
  } catch (error) {
    socket.destroy();
    throw (error as NodeJS.ErrnoException).code === "ECONNREFUSED" ? refused(attempted, name, error) : error;
  }
}

const refused = (attempted: string, name: string, cause: unknown): UniError =>
  new UniError("unreachable", `${attempted}: nobody listens on it`, {
    hint: `Its program must listen on all addresses, not on 127.0.0.1 alone: uni logs ${name}`,
    cause,
  });
