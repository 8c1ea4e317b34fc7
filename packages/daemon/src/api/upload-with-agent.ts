/** An upload, and afterwards the client's SSH agent behind frames of a kind of its own. */
import type { Readable } from "node:stream";
import { UniError } from "@uni/contract/errors";
import { frameKinds } from "@uni/contract/stream-frames";
import type { FrameChannel } from "./frame-channel.ts";

type Ask = (message: Uint8Array) => Promise<Uint8Array>;

/** `ask` wants one question at a time. */
export function uploadWithAgent(
  channel: FrameChannel,
  hasAgent: boolean,
): { readonly upload: Readable; readonly ask: Ask | undefined } {
  if (!hasAgent) return { upload: channel.upload(), ask: undefined };
  const frames = channel.frames();
  return {
    upload: channel.uploadOf(frames, { readOn: true }),
    async ask(message) {
      await channel.send(frameKinds.agent, message);
      const { value: frame } = await frames.next();
      if (frame?.kind === frameKinds.agent) return frame.payload;
      throw new UniError("unreachable", "ask the client's SSH agent: there came no answer");
    },
  };
}
