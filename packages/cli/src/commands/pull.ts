import type { ImageDetail } from "@uni/contract/rpc";
import type { CommandModule } from "../define.ts";
import { pullImage } from "../pull-image.ts";
import { printable } from "../render/escape.ts";

export const pull: CommandModule = {
  examples: ["uni pull registry.example.com/team/web:1.2", "uni pull nginx redis:7"],
  define(command, act) {
    command.argument("<image...>", "references; what has not changed since is not fetched again").action(
      act(async (context, references: string[]) => {
        const images: ImageDetail[] = [];
        for (const reference of references)
          images.push(await pullImage(context, { reference, policy: "always" }));
        await context.out.show(images.length === 1 ? images[0] : images, {
          text: () =>
            images
              .map(({ digest, references: names }) => `${digest}  ${printable(names.join(" "))}\n`)
              .join(""),
          names: () => images.map(({ digest }) => digest),
        });
      }),
    );
  },
};
