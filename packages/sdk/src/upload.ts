import { type Frame, frameKinds } from "@uni/contract/stream-frames";
import type { FrameStream } from "./frame-stream.ts";

/**
 * Sends `source` as data frames while what the daemon says is read; resolves with its result. A source that fails ends the call and
 * is thrown; a daemon that refuses half-way is heard at once.
 */
export async function uploadTo<Result>(
  stream: FrameStream<Result>,
  source: AsyncIterable<Uint8Array>,
  onFrame?: (frame: Frame) => Promise<void> | void,
): Promise<Result> {
  let sourceFailure: { readonly error: unknown } | undefined;
  const iterator = source[Symbol.asyncIterator]();
  const send = async () => {
    for (;;) {
      let next: IteratorResult<Uint8Array>;
      try {
        next = await iterator.next();
      } catch (error) {
        sourceFailure = { error };
        return stream.close();
      }
      // A failed write means that the peer is gone or said its last word: the reading side knows which.
      if (next.done === true) return stream.write(frameKinds.end, new Uint8Array(0)).catch(() => {});
      const sent = await stream.writeAll(frameKinds.data, next.value).then(
        () => true,
        () => false,
      );
      if (!sent) return;
    }
  };
  const sending = send();
  try {
    return await stream.finish(onFrame);
  } catch (error) {
    throw sourceFailure === undefined ? error : sourceFailure.error;
  } finally {
    stream.close();
    void iterator.return?.().catch(() => {});
    void sending;
  }
}
