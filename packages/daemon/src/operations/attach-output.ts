import { Duplex } from "node:stream";
import { followOutput } from "./follow-output.ts";
import type { LogSource } from "./log-lines.ts";

/** `followOutput` as a stream of bytes. What is written to it is dropped: consoles take input. */
export function attachOutput(source: LogSource, signal: AbortSignal): Duplex {
  const { pieces, close } = followOutput(source, signal);
  const iterator = pieces[Symbol.asyncIterator]();
  const duplex: Duplex = new Duplex({
    // Both sides end together, so that the follower goes when the output is over.
    allowHalfOpen: false,
    read() {
      iterator.next().then(
        ({ done, value }) => duplex.push(done === true ? null : value.bytes),
        (error: Error) => duplex.destroy(error),
      );
    },
    write: (_chunk, _encoding, done) => done(),
    destroy(error, done) {
      close();
      done(error);
    },
  });
  return duplex;
}
