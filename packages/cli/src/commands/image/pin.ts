import { limits } from "@uni/contract/limits";
import type { PinnedImage } from "@uni/contract/resources/image";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { forEachItem } from "../../items.ts";
import { parseSeconds } from "../../parse/time-span.ts";
import { printable } from "../../render/escape.ts";

interface PinOptions {
  readonly timeout?: number;
  readonly idle?: number;
}

export const imagePin: CommandModule = {
  examples: [
    "uni image pin registry.example.com/team/web:1.2",
    "uni image pin nginx redis:7 --idle 30d",
    "uni image pin nginx --timeout 5s",
  ],
  define(command, act) {
    command
      .argument("<images...>", "references; pulled if they are not here")
      .option(
        "--timeout <time>",
        "wait this long for the pull, which goes on after it (default: to its end)",
        parseSeconds,
      )
      .option("--idle <time>", "let go after this long without a use", parseSeconds)
      .action(
        act(async (context, references: string[], options: PinOptions) => {
          const { client, signal } = context;
          const timeout_s = options.timeout === undefined ? -1 : wholeSeconds(options.timeout);
          const autokill =
            options.idle === undefined ? {} : { autokill: { time_ms: Math.round(options.idle * 1000) } };
          return forEachItem(
            context,
            references,
            async (url) => {
              const body = [{ url, timeout_s, ...autokill }];
              const envelope = await client.operation(
                "pinImages",
                { body },
                { signal, timeoutMs: Number.POSITIVE_INFINITY },
              );
              const [pinned] = envelopeItems<PinnedImage>(envelope, "images", `pinning '${url}'`);
              return pinned as PinnedImage;
            },
            ({ uuid, state, url = "" }) => `${uuid}  ${state}  ${printable(url)}\n`,
          );
        }),
      );
  },
};

const wholeSeconds = (seconds: number): number =>
  Math.min(Math.max(1, Math.ceil(seconds)), limits.timeoutS.maximum);
