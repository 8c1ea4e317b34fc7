import type { CommandModule } from "../define.ts";
import { forEachItem } from "../items.ts";

interface KillOptions {
  readonly signal?: string;
}

export const kill: CommandModule = {
  examples: ["uni kill web", "uni kill -s HUP web"],
  define(command, act) {
    command
      .argument("<names...>", "instances")
      .option(
        "-s, --signal <signal>",
        "send the program this signal; without, the whole machine ends at once",
        (text) => text.toUpperCase(),
      )
      .action(
        act(async (context, names: string[], options: KillOptions) => {
          const { client, signal } = context;
          const sent = options.signal === undefined ? {} : { signal: options.signal };
          return forEachItem(
            context,
            names,
            async (id) => {
              const answer = await client.call("VM.Kill", { id, ...sent }, { signal });
              return { name: id, ...sent, ...answer };
            },
            ({ name }) => `${name}\n`,
          );
        }),
      );
  },
};
