import type { CommandModule } from "../define.ts";
import { forEachItem } from "../items.ts";
import { withSpinner } from "../progress.ts";
import { addStopOptions, type StopOptions, stopDeadlineMs, stopParams } from "../stop-options.ts";

export const restart: CommandModule = {
  examples: ["uni restart web", "uni restart -t 5 web db"],
  define(command, act) {
    addStopOptions(command.argument("<names...>", "instances")).action(
      act(async (context, names: string[], options: StopOptions) => {
        const { client, out, signal } = context;
        return withSpinner(out, "restarting", () =>
          forEachItem(
            context,
            names,
            (id) => client.call("VM.Restart", stopParams(id, options), { signal, timeoutMs: stopDeadlineMs }),
            (vm) => `${vm.name}\n`,
          ),
        );
      }),
    );
  },
};
