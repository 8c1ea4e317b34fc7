import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";

export const kernelRm: CommandModule = {
  examples: ["uni kernel rm 6.1.0-1-cloud-amd64"],
  define(command, act) {
    command.argument("<versions...>", "as uni kernel list has them").action(
      act(async (context, versions: string[]) => {
        const { client, signal } = context;
        return forEachItem(
          context,
          versions,
          async (version) => ({ version, ...(await client.call("Kernel.Remove", { version }, { signal })) }),
          ({ version }) => `${version}\n`,
        );
      }),
    );
  },
};
