import type { CommandModule } from "../define.ts";
import { forEachItem } from "../items.ts";
import { parseSeconds } from "../parse/time-span.ts";
import { withSpinner } from "../progress.ts";

/** Beyond the wait for connections: writing the memory to disk. */
const slackMs = 60_000;

export const suspend: CommandModule = {
  examples: ["uni suspend web", "uni suspend --drain 10s web db"],
  define(command, act) {
    command
      .argument("<names...>", "instances")
      .option("--drain <time>", "wait this long for open connections to end (default: 0)", parseSeconds)
      .action(
        act(async (context, names: string[], { drain = 0 }: { readonly drain?: number }) => {
          const { client, out, signal } = context;
          const drain_s = Math.round(drain);
          const timeoutMs = drain_s * 1000 + slackMs;
          return withSpinner(out, "suspending", () =>
            forEachItem(
              context,
              names,
              (id) => client.call("VM.Suspend", { id, drain_s }, { signal, timeoutMs }),
              (vm) => `${vm.name}\n`,
            ),
          );
        }),
      );
  },
};
