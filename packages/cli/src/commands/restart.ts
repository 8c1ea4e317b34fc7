import type { CommandModule } from "../define.ts";
import { forEachItem } from "../items.ts";
import { withSpinner } from "../progress.ts";
import { refuseFailed } from "../refuse-failed.ts";
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
            async (id) => {
              const params = stopParams(id, options);
              const vm = await client.call("VM.Restart", params, { signal, timeoutMs: stopDeadlineMs });
              refuseFailed(vm);
              return vm;
            },
            (vm) => `${vm.name}\n`,
          ),
        );
      }),
    );
  },
};
