import { UniError } from "@uni/contract/errors";
import type { CommandModule } from "../../define.ts";
import { receiveTree } from "../../files/receive.ts";
import { parseImagePath } from "../../parse/image-path.ts";

interface CopyOptions {
  readonly archive?: boolean;
  readonly followLink?: boolean;
}

export const imageCp: CommandModule = {
  examples: [
    "uni image cp hello:/etc .",
    "uni image cp hello:1.2:/app/config.json ./config.json",
    "uni image cp hello:/usr/share - | tar t",
  ],
  define(command, act) {
    command
      .argument("<image:/path>", "file or tree of an image")
      .argument("<destination>", "a local path, or - for a tar on standard output")
      .option("-a, --archive", "keep owners")
      .option("-L, --follow-link", "copy what a symbolic link given as the source leads to")
      .addHelpText("after", "\nSet-id bits and device nodes are not brought to this machine.")
      .action(
        act(async (context, text: string, destination: string, options: CopyOptions) => {
          const { client, out, signal } = context;
          const { reference, path } = parseImagePath(text);
          if (destination === "-" && out.stdout.isTTY === true) {
            throw new UniError("malformed", "writing a tar to standard output: that is a terminal", {
              hint: `Pipe it on: uni image cp ${text} - | tar t.`,
            });
          }
          const follow_link = options.followLink === true;
          const bytes = await receiveTree(context, {
            open: () => client.open("Image.CopyOut", { reference, path, follow_link }, { signal }),
            from: path,
            shown: text,
            to: destination === "-" ? { kind: "stream" } : { kind: "local", path: destination },
            keepOwners: options.archive === true,
          });
          // The tar itself went to standard output.
          if (destination === "-") return;
          await out.show({ source: text, destination, bytes }, { text: () => "" });
        }),
      );
  },
};
