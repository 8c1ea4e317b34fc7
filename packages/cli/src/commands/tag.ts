import type { CommandModule } from "../define.ts";

export const tag: CommandModule = {
  examples: ["uni tag hello hello:stable"],
  define(command, act) {
    command
      .argument("<source>", "image reference, or a digest")
      .argument("<reference>", "further name, NAME[:TAG]")
      .action(
        act(async ({ client, out, signal }, source: string, reference: string) => {
          await client.call("Image.Tag", { source, reference }, { signal });
          await out.show({ source, reference }, { text: () => `${reference}\n` });
        }),
      );
  },
};
