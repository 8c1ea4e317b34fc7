import type { CommandModule } from "../define.ts";
import { pushImage } from "../push-image.ts";
import { printable } from "../render/escape.ts";

export const push: CommandModule = {
  examples: ["uni push registry.example.com/team/web:1.2", "uni push web registry.example.com/team/web:1.2"],
  define(command, act) {
    command
      .argument("<image>", "image")
      .argument("[destination]", "reference to push to (default: the image's own name)")
      .addHelpText("after", "\nThe registry's credentials are those of uni login, or of docker login.")
      .action(
        act(async (context, reference: string, destination: string | undefined) => {
          const pushed = await pushImage(context, reference, destination);
          await context.out.show(pushed, {
            text: () => `${pushed.digest}  ${printable(pushed.reference)}\n`,
            names: () => [pushed.digest],
          });
        }),
      );
  },
};
