import { UniError } from "@uni/contract/errors";
import type { CommandModule } from "../define.ts";
import { withSpinner } from "../progress.ts";

/** `NAME CHECKPOINT`, or with a suffix any number of names, each to its own <name>-<suffix>. */
function rewindsOf(words: readonly string[], suffix: string | undefined) {
  if (suffix !== undefined) return words.map((id) => ({ id, checkpoint: `${id}-${suffix}` }));
  const [id, checkpoint, ...more] = words;
  if (id !== undefined && checkpoint !== undefined && more.length === 0) return [{ id, checkpoint }];
  throw new UniError("malformed", "rewinding: give an instance and one checkpoint of it", {
    hint: "uni rewind web before, or several together: uni rewind web db --suffix before",
  });
}

export const rewind: CommandModule = {
  examples: ["uni rewind web before-upgrade", "uni rewind web db --suffix before"],
  define(command, act) {
    command
      .argument("<words...>", "an instance and a checkpoint of it; with --suffix, instances")
      .option("--suffix <text>", "take each to its checkpoint <instance>-<text>, all together")
      .action(
        act(async ({ client, out, signal }, words: string[], { suffix }: { readonly suffix?: string }) => {
          const rewinds = rewindsOf(words, suffix);
          const rewound = await withSpinner(out, "rewinding", () =>
            client.call("VM.Rewind", { rewinds }, { signal }),
          );
          await out.show(rewinds.length === 1 ? rewound[0] : rewound, {
            text: () => rewound.map((vm) => `${vm.name}\n`).join(""),
          });
        }),
      );
  },
};
