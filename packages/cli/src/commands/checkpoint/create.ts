import type { CommandModule } from "../../define.ts";
import { collect } from "../../define.ts";
import { withSpinner } from "../../progress.ts";

interface Options {
  readonly name?: string;
  readonly suffix?: string;
  readonly tag?: readonly string[];
}

export const checkpointCreate: CommandModule = {
  examples: [
    "uni checkpoint create web --name before-upgrade",
    "uni checkpoint create web db --suffix before",
  ],
  define(command, act) {
    command
      .argument("<names...>", "instances; several are kept as they are at one instant")
      .option("--name <name>", "name of the checkpoint, of one instance (default: made from the instance's)")
      .option("--suffix <text>", "name each <instance>-<text>")
      .option("--tag <tag>", "tag of the checkpoints; repeatable", collect)
      .action(
        act(async ({ client, out, signal }, ids: string[], { name, suffix, tag }: Options) => {
          const params = {
            ids,
            ...(name === undefined ? {} : { name }),
            ...(suffix === undefined ? {} : { suffix }),
            ...(tag === undefined ? {} : { tags: [...tag] }),
          };
          const made = await withSpinner(out, "keeping instances", () =>
            client.call("VM.Checkpoint", params, { signal }),
          );
          await out.show(ids.length === 1 ? made[0] : made, {
            text: () => made.map((each) => `${each.name}\n`).join(""),
          });
        }),
      );
  },
};
