/** A connection to a port of an instance, carried in frames. Each side's end is passed on by itself. */
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { UniError } from "@uni/contract/errors";
import { frameKinds } from "@uni/contract/stream-frames";
import type { FrameChannel } from "./frame-channel.ts";

/** Resolves when both sides have ended; the client's going ends the guest's connection. */
export async function serveTunnel(
  guest: Duplex,
  channel: FrameChannel,
  what: string,
): Promise<{ status: "ok" }> {
  const { promise: broken, reject: onBroken } = Promise.withResolvers<never>();
  const onAbort = () => onBroken(channel.signal.reason);
  if (channel.signal.aborted) onAbort();
  channel.signal.addEventListener("abort", onAbort, { once: true });
  const both = Promise.all([fromGuest(guest, channel), toGuest(guest, channel)]);
  both.catch(() => {});
  try {
    await Promise.race([both, broken]);
    return { status: "ok" };
  } catch (error) {
    if (error instanceof UniError || channel.signal.aborted) throw error;
    throw new UniError("unreachable", `${what}: the instance broke the connection off`, { cause: error });
  } finally {
    channel.signal.removeEventListener("abort", onAbort);
    guest.on("error", () => {}).destroy();
  }
}

async function fromGuest(guest: Duplex, channel: FrameChannel): Promise<void> {
  // The usual iteration would destroy the stream at its end, and with it the way back.
  for await (const chunk of guest.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    await channel.send(frameKinds.data, chunk);
  }
  await channel.send(frameKinds.end, new Uint8Array());
}

async function toGuest(guest: Duplex, channel: FrameChannel): Promise<void> {
  for await (const { kind, payload } of channel.frames()) {
    if (kind === frameKinds.end) return void guest.end();
    if (kind !== frameKinds.data) {
      throw new UniError("malformed", `carry a connection: unexpected frame kind ${kind}`);
    }
    if (!guest.write(payload)) await once(guest, "drain", { signal: channel.signal });
  }
}
