import { UniError } from "@uni/contract/errors";
import { type Frame, frameKinds } from "@uni/contract/stream-frames";
import type { FrameStream } from "@uni/sdk/frame-stream";
import type { Context } from "../context.ts";
import type { CopySide } from "../parse/copy-path.ts";
import { startSpinner } from "../progress.ts";
import { printable } from "../render/escape.ts";
import { formatBytes } from "../render/units.ts";
import { planDestination } from "./destination.ts";
import { unpackTree } from "./unpack.ts";

export interface ReceiveOptions {
  readonly open: () => Promise<FrameStream>;
  /** Path there, as the person wrote it. */
  readonly from: string;
  /** The same with what it is a path of. */
  readonly shown: string;
  readonly to: CopySide;
  readonly keepOwners: boolean;
}

/** A tar that the daemon sends, unpacked by Docker's rules or passed on; the bytes that came. */
export async function receiveTree(context: Context, options: ReceiveOptions): Promise<number> {
  const { out, signal } = context;
  const { from, shown, to, keepOwners } = options;
  // The destination is judged first: no point in troubling the daemon for nothing.
  const destination = to.kind === "local" ? await planDestination(from, to.path) : undefined;
  const stream = await options.open();
  const spinner = startSpinner(out, `copying ${shown}`);
  let received = 0;
  const data = dataOf(stream, (count) => {
    received += count;
    spinner.update(`copying ${shown} ${formatBytes(received)}`);
  });
  try {
    if (destination === undefined) {
      for await (const chunk of data) await out.bytes(out.stdout, chunk);
      return received;
    }
    const { bytes, entries } = await unpackTree(data, {
      destination,
      keepOwners,
      onSkip: leftOut(context),
      signal,
    });
    if (entries === 0) throw new UniError("not_found", `copying ${shown}: nothing came`);
    return bytes;
  } finally {
    spinner.done();
    stream.close();
  }
}

export async function* dataOf(
  stream: FrameStream,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const { kind, payload } of stream as AsyncIterable<Frame>) {
    if (kind !== frameKinds.data) continue;
    onBytes(payload.length);
    yield payload;
  }
}

export function leftOut({ out }: Context): (name: string, reason: string) => void {
  return (name, reason) => out.stderr.write(`Left out ${printable(name)}: ${reason}\n`);
}
