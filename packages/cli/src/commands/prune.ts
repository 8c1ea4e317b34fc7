import { Option } from "commander";
import type { CommandModule } from "../define.ts";
import { formatBytes } from "../render/units.ts";

export const prune: CommandModule = {
  examples: ["uni prune", "uni prune --build-cache --boot-cache"],
  define(command, act) {
    command
      .option("--build-cache", "also what builds keep to be faster next time")
      .option(
        "--boot-cache",
        "also boot snapshots that nothing stands on; the next start makes its own again",
      );
    command.addOption(new Option("-f, --force", "changes nothing: nobody is asked").hideHelp());
    command.action(
      act(async ({ client, out, signal }, options: { buildCache?: boolean; bootCache?: boolean }) => {
        const params = { build_cache: options.buildCache === true, boot_cache: options.bootCache === true };
        const result = await client.call("Image.Prune", params, {
          signal,
          timeoutMs: Number.POSITIVE_INFINITY,
        });
        await out.show(result, { text: () => `Freed ${formatBytes(result.freed_bytes)}\n` });
      }),
    );
  },
};
