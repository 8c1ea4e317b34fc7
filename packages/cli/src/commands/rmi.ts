import { Option } from "commander";
import type { CommandModule } from "../define.ts";
import { forEachItem } from "../items.ts";
import { printable } from "../render/escape.ts";

export const rmi: CommandModule = {
  examples: ["uni rmi hello:old", "uni rmi sha256:1f2e3d4c5b6a"],
  define(command, act) {
    command
      .argument("<references...>", "images")
      .addOption(new Option("-f, --force", "changes nothing: what is used stays").hideHelp())
      .action(
        act(async (context, references: string[]) => {
          const { client, signal } = context;
          return forEachItem(
            context,
            references,
            async (reference) => ({
              reference,
              ...(await client.call("Image.Remove", { reference }, { signal })),
            }),
            ({ removed }) => removed.map((name) => `${printable(name)}\n`).join(""),
          );
        }),
      );
  },
};
