import { UniError } from "@uni/contract/errors";
import { type Frame, frameKinds } from "@uni/contract/stream-frames";
import type { FrameStream } from "@uni/sdk/frame-stream";
import { uploadTo } from "@uni/sdk/upload";
import type { Context } from "../context.ts";
import type { CommandModule } from "../define.ts";
import { planDestination } from "../files/destination.ts";
import { packTree, topNameOf } from "../files/pack.ts";
import { unpackTree } from "../files/unpack.ts";
import { type CopySide, parseCopySide } from "../parse/copy-path.ts";
import { startSpinner } from "../progress.ts";
import { printable } from "../render/escape.ts";
import { formatBytes } from "../render/units.ts";

interface CopyOptions {
  readonly archive?: boolean;
  readonly followLink?: boolean;
}

type GuestSide = Extract<CopySide, { kind: "guest" }>;

async function* dataOf(stream: FrameStream, onBytes: (count: number) => void): AsyncGenerator<Uint8Array> {
  for await (const { kind, payload } of stream as AsyncIterable<Frame>) {
    if (kind !== frameKinds.data) continue;
    onBytes(payload.length);
    yield payload;
  }
}

function skipped({ out }: Context): (name: string, reason: string) => void {
  return (name, reason) => out.stderr.write(`Left out ${printable(name)}: ${reason}\n`);
}

async function copyOut(
  context: Context,
  from: GuestSide,
  to: CopySide,
  options: CopyOptions,
): Promise<number> {
  const { client, out, signal } = context;
  // The destination is judged first: no point in troubling the guest for nothing.
  const destination = to.kind === "local" ? await planDestination(from.path, to.path) : undefined;
  const stream = await client.open("VM.CopyOut", { id: from.name, path: from.path }, { signal });
  const spinner = startSpinner(out, `copying ${from.name}:${from.path}`);
  let received = 0;
  const data = dataOf(stream, (count) => {
    received += count;
    spinner.update(`copying ${from.name}:${from.path} ${formatBytes(received)}`);
  });
  try {
    if (destination === undefined) {
      for await (const chunk of data) await out.bytes(out.stdout, chunk);
      return received;
    }
    const keepOwners = options.archive === true;
    const { bytes, entries } = await unpackTree(data, {
      destination,
      keepOwners,
      onSkip: skipped(context),
      signal,
    });
    if (entries === 0) throw new UniError("not_found", `copying ${from.name}:${from.path}: nothing came`);
    return bytes;
  } finally {
    spinner.done();
    stream.close();
  }
}

async function* standardInput(stdin: NodeJS.ReadStream): AsyncGenerator<Uint8Array> {
  if (stdin.isTTY) {
    throw new UniError("malformed", "reading a tar from standard input: that is a terminal", {
      hint: "Pipe one in: tar c DIR | uni cp - NAME:/path.",
    });
  }
  yield* stdin as AsyncIterable<Uint8Array>;
}

async function copyIn(
  context: Context,
  from: CopySide,
  to: GuestSide,
  options: CopyOptions,
): Promise<number> {
  const { client, out, signal, stdin } = context;
  const source =
    from.kind === "local"
      ? packTree(from.path, {
          top: topNameOf(from.path),
          followTop: options.followLink === true,
          onSkip: skipped(context),
          signal,
        }).tar
      : standardInput(stdin);
  const spinner = startSpinner(out, `copying to ${to.name}:${to.path}`);
  try {
    const stream = await client.open("VM.CopyIn", { id: to.name, path: to.path }, { signal });
    return (await uploadTo(stream, source)).bytes;
  } finally {
    spinner.done();
  }
}

export const cp: CommandModule = {
  examples: [
    "uni cp web:/var/log/app.log .",
    "uni cp ./site/. web:/srv/www",
    "uni cp web:/etc - | tar t",
    "tar c site | uni cp - web:/srv",
  ],
  define(command, act) {
    command
      .argument("<source>", "NAME:/path, a local path, or - for a tar on standard input")
      .argument("<destination>", "NAME:/path, a local path, or - for a tar on standard output")
      .option("-a, --archive", "keep owners when copying out")
      .option("-L, --follow-link", "copy what a symbolic link given as the source leads to")
      .addHelpText(
        "after",
        "\nThe instance may run or be stopped. Set-id bits and device nodes are not brought to this machine.",
      )
      .action(
        act(async (context, sourceText: string, destinationText: string, options: CopyOptions) => {
          const source = parseCopySide(sourceText);
          const destination = parseCopySide(destinationText);
          let bytes: number;
          if (source.kind === "guest" && destination.kind !== "guest") {
            bytes = await copyOut(context, source, destination, options);
            // The tar itself went to standard output.
            if (destination.kind === "stream") return 0;
          } else if (source.kind !== "guest" && destination.kind === "guest") {
            bytes = await copyIn(context, source, destination, options);
          } else {
            throw new UniError("malformed", "copying: exactly one side is an instance's path", {
              hint: "Write it as NAME:/path.",
            });
          }
          const value = { source: sourceText, destination: destinationText, bytes };
          await context.out.show(value, { text: () => "" });
          return 0;
        }),
      );
  },
};
