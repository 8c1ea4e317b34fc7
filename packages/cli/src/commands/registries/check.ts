import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";

export const registriesCheck: CommandModule = {
  examples: ["uni registries check registry.example.com"],
  define(command, act) {
    command.argument("<registries...>", "hosts whose credentials are kept").action(
      act(async (context, registries: string[]) => {
        const { client, signal } = context;
        return forEachItem(
          context,
          registries,
          (registry) => client.call("Registry.Check", { registry }, { signal }),
          ({ registry }) => `${registry}: ok\n`,
        );
      }),
    );
  },
};
