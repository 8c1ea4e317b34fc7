import type { CommandModule } from "../define.ts";
import { forEachItem } from "../items.ts";
import { withSpinner } from "../progress.ts";
import { refuseFailed } from "../refuse-failed.ts";

export const start: CommandModule = {
  examples: ["uni start web", "uni ps -aq | xargs uni start", "uni start --cold web"],
  define(command, act) {
    command
      .argument("<names...>", "instances")
      .option("--cold", "boot a sleeping one without the memory it had")
      .action(
        act(async (context, names: string[], { cold }: { readonly cold?: boolean }) => {
          const { client, out, signal } = context;
          return withSpinner(out, "starting", () =>
            forEachItem(
              context,
              names,
              async (id) => {
                const vm = await client.call("VM.Start", cold === true ? { id, cold } : { id }, { signal });
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
