import type { CommandModule } from "../define.ts";
import { withSpinner } from "../progress.ts";

interface Options {
  readonly name?: string;
  readonly suffix?: string;
  readonly start?: boolean;
}

export const branch: CommandModule = {
  examples: ["uni branch db --name db-test", "uni branch web db cache --suffix copy"],
  define(command, act) {
    command
      .argument("<names...>", "instances; several are copied as they are at one instant")
      .option("--name <name>", "name of the copy, of one instance (default: made from the instance's)")
      .option("--suffix <text>", "name each <instance>-<text>")
      .option("--no-start", "leave the copies stopped; their memory waits for their start")
      .action(
        act(async ({ client, out, signal }, ids: string[], { name, suffix, start }: Options) => {
          const params = {
            ids,
            ...(name === undefined ? {} : { name }),
            ...(suffix === undefined ? {} : { suffix }),
            autostart: start !== false,
          };
          const made = await withSpinner(out, "branching", () =>
            client.call("VM.Branch", params, { signal }),
          );
          await out.show(ids.length === 1 ? made[0] : made, {
            text: () => made.map((vm) => `${vm.name}\n`).join(""),
          });
        }),
      );
  },
};
