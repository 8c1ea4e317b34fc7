/** What is typed to the instance's program, as a stream of its own: what the program prints is the log's. */
import type { GuestInput } from "./port.ts";
import type { GuestSession } from "./session.ts";
import { openGuestStream } from "./stream.ts";
import { encodeSize } from "./terminal-size.ts";
import { inputAnew, ProtocolError, types } from "./wire.ts";

const openTimeoutMs = 60_000;

export async function openInput(session: GuestSession, key: bigint): Promise<GuestInput> {
  const payload = Buffer.alloc(8);
  payload.writeBigUInt64LE(key);
  const options = { attempted: "reach the program's input", timeoutMs: openTimeoutMs, credit: 0 };
  const stream = await openGuestStream(session, types.openInput, payload, options);
  const answer = await stream.opened;
  if (answer.length !== 8) throw new ProtocolError("malformed answer about the program's input");
  const accepted = answer.readBigUInt64LE();
  const { io } = stream;
  io.resume(); // Nothing comes, and its end is that of the stream.
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  const over = stream.exit.then(
    () => "program" as const,
    (error) => {
      broken.reject(error);
      return "channel" as const;
    },
  );
  return {
    accepted: accepted === inputAnew ? undefined : Number(accepted),
    over,
    async write(bytes) {
      const written = Promise.withResolvers<void>();
      io.write(bytes, (error) => (error ? written.reject(error) : written.resolve()));
      await Promise.race([written.promise, broken.promise]);
    },
    // Not that of `io`: others write on into a terminal.
    end: () => stream.send(types.end, Buffer.alloc(0)),
    resize: (size) => stream.send(types.resize, encodeSize(size)),
    close: () => stream.close(),
  };
}
