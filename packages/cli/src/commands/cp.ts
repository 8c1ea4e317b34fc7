import { UniError } from "@uni/contract/errors";
import { uploadTo } from "@uni/sdk/upload";
import type { Context } from "../context.ts";
import type { CommandModule } from "../define.ts";
import { packTree, topNameOf } from "../files/pack.ts";
import { leftOut, receiveTree } from "../files/receive.ts";
import { type CopySide, parseCopySide } from "../parse/copy-path.ts";
import { startSpinner } from "../progress.ts";

interface CopyOptions {
  readonly archive?: boolean;
  readonly followLink?: boolean;
}

type GuestSide = Extract<CopySide, { kind: "guest" }>;

async function copyOut(
  context: Context,
  from: GuestSide,
  to: CopySide,
  options: CopyOptions,
): Promise<number> {
  const { client, signal } = context;
  return receiveTree(context, {
    open: () => client.open("VM.CopyOut", { id: from.name, path: from.path }, { signal }),
    from: from.path,
    shown: `${from.name}:${from.path}`,
    to,
    keepOwners: options.archive === true,
  });
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
          onSkip: leftOut(context),
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
