import type { CommandModule } from "../../define.ts";

export const kernelUse: CommandModule = {
  examples: ["uni kernel use 6.1.0-1-cloud-amd64"],
  define(command, act) {
    command.argument("<version>", "as uni kernel list has it").action(
      act(async ({ client, out, signal }, version: string) => {
        const kernel = await client.call("Kernel.Use", { version }, { signal });
        await out.show(kernel, { text: () => `${kernel.version}\n` });
        out.note("Instances boot it at their next start.");
      }),
    );
  },
};
