import { Option } from "commander";
import type { CommandModule } from "../define.ts";
import { forEachItem } from "../items.ts";
import { withSpinner } from "../progress.ts";

interface RemoveOptions {
  readonly force?: boolean;
}

export const rm: CommandModule = {
  examples: ["uni rm web", "uni rm -f web db", "uni rm $(uni ps -aq --filter state=stopped)"],
  define(command, act) {
    command
      .argument("<names...>", "instances")
      .option("-f, --force", "kill what runs first")
      .addOption(new Option("-v, --volumes", "its disk goes in any case").hideHelp())
      .action(
        act(async (context, names: string[], { force }: RemoveOptions) => {
          const { client, out, signal } = context;
          const forced = force === true ? { force } : {};
          return withSpinner(out, "removing", () =>
            forEachItem(
              context,
              names,
              (id) => client.call("VM.Remove", { id, ...forced }, { signal }),
              (removed) => `${removed.name}\n`,
            ),
          );
        }),
      );
  },
};
