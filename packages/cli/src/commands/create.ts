import type { CommandModule } from "../define.ts";
import { pullAndMake } from "../pull-and-make.ts";
import { addRunOptions, type RunOptions, runParams } from "../run-options.ts";

export const create: CommandModule = {
  examples: ["uni create --name web -p 8080:80 hello && uni start web"],
  define(command, act) {
    command
      .argument("[image]", "image reference, or a digest; not with --template, --checkpoint or --branch")
      .argument("[args...]", "arguments of the program, in place of the image's")
      .passThroughOptions();
    addRunOptions(command).action(
      act(async (context, image: string | undefined, args: string[], options: RunOptions) => {
        const params = { ...runParams(image, args, options, context.env), autostart: false };
        const vms = await pullAndMake(context, params, {
          count: options.replicas ?? 1,
          pull: options.pull,
          doing: `creating ${image ?? options.name ?? "it"}`,
        });
        await context.out.show(vms.length === 1 ? vms[0] : vms, {
          text: () => vms.map((vm) => `${vm.name}\n`).join(""),
        });
      }),
    );
  },
};
