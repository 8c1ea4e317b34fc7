import type { Duplex } from "node:stream";
import type { AccountId } from "@uni/contract/ids";
import { frameKinds } from "@uni/contract/stream-frames";
import type { Log } from "../base/log.ts";
import type { FrameChannel } from "./frame-channel.ts";

/** What a method does with a request: answer it, or open a stream after the reply. */
export type RpcAnswer =
  | {
      readonly kind: "value";
      readonly value: unknown;
      /** Done once the answer is on its way. */
      readonly after?: () => void;
    }
  /** Resolves with the result frame's value; a rejection becomes the error frame. */
  | { readonly kind: "frames"; readonly run: (channel: FrameChannel) => Promise<unknown> }
  | { readonly kind: "raw"; readonly run: (connection: Duplex, signal: AbortSignal) => Promise<void> };

export interface RpcContext {
  readonly account: AccountId;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

export const value = (result: unknown): RpcAnswer => ({ kind: "value", value: result });
export const done = { kind: "value", value: { status: "ok" } } as const satisfies RpcAnswer;
export const frames = (run: (channel: FrameChannel) => Promise<unknown>): RpcAnswer => ({
  kind: "frames",
  run,
});

/** A download: data frames, then `end`. */
export async function sendBytes(
  channel: FrameChannel,
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ readonly bytes: number }> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    await channel.send(frameKinds.data, chunk);
  }
  await channel.send(frameKinds.end, new Uint8Array());
  return { bytes };
}
