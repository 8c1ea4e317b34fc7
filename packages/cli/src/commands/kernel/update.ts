import type { CommandModule } from "../../define.ts";
import { progressLines } from "../../progress-lines.ts";

export const kernelUpdate: CommandModule = {
  examples: ["uni kernel update"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const stream = await client.open("Kernel.Update", {}, { signal });
        const progress = progressLines(out, "updating the kernel");
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
