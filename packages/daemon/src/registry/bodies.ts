import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../base/clock.ts";

/** A body that is small by its nature, whole. */
export async function readBody(message: IncomingMessage, maxBytes: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Not destroyed when this gives up: the connection is needed for the answer.
  for await (const chunk of message.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length;
    if (size > maxBytes) {
      throw new UniError("too_large", `read ${what}: it has more than ${maxBytes} bytes`);
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** Undefined where the sender does not say. */
export function lengthOf({ headers }: IncomingMessage): number | undefined {
  const length = Number(headers["content-length"]);
  return headers["content-length"] === undefined || !Number.isSafeInteger(length) ? undefined : length;
}

/** Bodies take as long as they take, as long as they move. The returned function ends the watch. */
export function endStalled(socket: Socket, clock: Clock, afterMs: number): () => void {
  const moved = () => socket.bytesRead + socket.bytesWritten;
  let cancel = () => {};
  const watch = (before: number) => {
    cancel = clock.after(afterMs, () => {
      if (moved() === before) socket.destroy();
      else watch(moved());
    });
  };
  watch(moved());
  return () => cancel();
}
