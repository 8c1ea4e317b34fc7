import type { CommandModule } from "../define.ts";
import { printable } from "../render/escape.ts";

export const logout: CommandModule = {
  examples: ["uni logout registry.example.com"],
  define(command, act) {
    command
      .argument("[registry]", "host; default: the one that images without a host in their name come from")
      .action(
        act(async ({ client, out, signal }, registry: string | undefined) => {
          const params = registry === undefined ? {} : { registry };
          const gone = await client.call("Registry.Logout", params, { signal });
          await out.show(gone, { text: () => `${printable(gone.registry)}\n` });
        }),
      );
  },
};
