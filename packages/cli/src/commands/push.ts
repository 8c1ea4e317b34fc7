import type { CommandModule } from "../define.ts";
import { progressLines } from "../progress-lines.ts";
import { printable } from "../render/escape.ts";

export const push: CommandModule = {
  examples: ["uni push registry.example.com/team/web:1.2", "uni push web registry.example.com/team/web:1.2"],
  define(command, act) {
    command
      .argument("<image>", "image")
      .argument("[destination]", "reference to push to (default: the image's own name)")
      .addHelpText("after", "\nThe registry's credentials are those of uni login, or of docker login.")
      .action(
        act(async ({ client, out, signal }, reference: string, destination: string | undefined) => {
          const params = { reference, ...(destination === undefined ? {} : { destination }) };
          const stream = await client.open("Image.Push", params, { signal });
          const progress = progressLines(out, `pushing ${destination ?? reference}`);
          try {
            const pushed = await stream.finish(progress.onFrame);
            progress.done();
            await out.show(pushed, {
              text: () => `${pushed.digest}  ${printable(pushed.reference)}\n`,
              names: () => [pushed.digest],
            });
          } finally {
            progress.done();
          }
        }),
      );
  },
};
