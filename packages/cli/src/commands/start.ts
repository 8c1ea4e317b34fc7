import type { CommandModule } from "../define.ts";
import { forEachItem } from "../items.ts";
import { withSpinner } from "../progress.ts";

export const start: CommandModule = {
  examples: ["uni start web", "uni ps -aq | xargs uni start"],
  define(command, act) {
    command.argument("<names...>", "instances").action(
      act(async (context, names: string[]) => {
        const { client, out, signal } = context;
        return withSpinner(out, "starting", () =>
          forEachItem(
            context,
            names,
            (id) => client.call("VM.Start", { id }, { signal }),
            (vm) => `${vm.name}\n`,
          ),
        );
      }),
    );
  },
};
