import type { CommandModule } from "../../define.ts";
import { progressLines } from "../../progress-lines.ts";

export const kernelBuild: CommandModule = {
  examples: ["uni kernel build"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const stream = await client.open("Kernel.Build", {}, { signal });
        const progress = progressLines(out, "building the lean kernel");
        try {
          const kernel = await stream.finish(progress.onFrame);
          progress.done();
          await out.show(kernel, { text: () => `${kernel.version}\n` });
        } finally {
          progress.done();
        }
      }),
    );
  },
};
