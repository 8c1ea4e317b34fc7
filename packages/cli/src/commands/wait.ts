import type { CommandModule } from "../define.ts";
import { forEachItem } from "../items.ts";

export const wait: CommandModule = {
  examples: ["uni wait job", "test $(uni wait job) = 0"],
  define(command, act) {
    command.argument("<names...>", "instances").action(
      act(async (context, names: string[]) => {
        const { client, signal } = context;
        return forEachItem(
          context,
          names,
          async (id) => ({
            name: id,
            ...(await client.call("VM.Wait", { id }, { signal, timeoutMs: Infinity })),
          }),
          ({ exit_code }) => `${exit_code ?? "-"}\n`,
        );
      }),
    );
  },
};
