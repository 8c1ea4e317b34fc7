import type { CommandModule } from "../../define.ts";
import { renderFields } from "../../render/table.ts";

export const kernelCheck: CommandModule = {
  examples: ["uni kernel check", "uni kernel check -o json | jq .update_available"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const answer = await client.call("Kernel.Check", {}, { signal });
        await out.show(answer, {
          text: () =>
            renderFields([
              ["Installed", answer.installed ?? "none"],
              ["Newest", answer.latest],
              ["Update", answer.update_available ? "yes: uni kernel update" : "none needed"],
            ]),
        });
      }),
    );
  },
};
