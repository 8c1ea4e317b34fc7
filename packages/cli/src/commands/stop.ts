import type { CommandModule } from "../define.ts";
import { forEachItem } from "../items.ts";
import { withSpinner } from "../progress.ts";
import { addStopOptions, type StopOptions, stopDeadlineMs, stopParams } from "../stop-options.ts";

export const stop: CommandModule = {
  examples: ["uni stop web", "uni stop -t 5 web db", "uni stop --force stuck"],
  define(command, act) {
    addStopOptions(command.argument("<names...>", "instances")).action(
      act(async (context, names: string[], options: StopOptions) => {
        const { client, out, signal } = context;
        return withSpinner(out, "stopping", () =>
          forEachItem(
            context,
            names,
            (id) => client.call("VM.Stop", stopParams(id, options), { signal, timeoutMs: stopDeadlineMs }),
            (vm) => `${vm.name}\n`,
          ),
        );
      }),
    );
  },
};
