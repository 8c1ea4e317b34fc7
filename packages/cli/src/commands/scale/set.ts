import { limits } from "@uni/contract/limits";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import { envelopeItems } from "@uni/sdk/envelope-items";
import type { CommandModule } from "../../define.ts";
import { parseCount } from "../../parse/count.ts";
import { collectRom } from "../../parse/rom.ts";
import { parseSeconds } from "../../parse/time-span.ts";
import { referenceOf } from "../../reference.ts";

interface Options {
  readonly template: string;
  readonly min?: number;
  readonly max?: number;
  readonly warmup?: number;
  readonly cooldown?: number;
  readonly rom?: readonly RomPart[];
}

const { minimum, maximum, defaultMin, defaultMax } = limits.scale.size;
const [least, most] = [parseCount(minimum, maximum), parseCount(1, maximum)];
const toMs = (seconds: number): number => Math.round(seconds * 1000);

export const scaleSet: CommandModule = {
  examples: [
    "uni scale set shop --template base --min 1 --max 8",
    "uni scale set shop --template base --warmup 5s --cooldown 1m",
    "uni scale set shop --template base --rom name=code,dir=./code,at=/code",
  ],
  define(command, act) {
    command
      .argument("<name>", "service group")
      .requiredOption("--template <name>", "what members are made of")
      .option(
        "--min <count>",
        `members at least; 0: the first is made when somebody asks (default: ${defaultMin})`,
        least,
      )
      .option("--max <count>", `members at most (default: ${defaultMax})`, most)
      .option("--rom <name=,image=|dir=,at=>", "ROM that each new member gets; repeatable", collectRom)
      .option("--warmup <span>", "pause after members were added (default: 1s)", parseSeconds)
      .option(
        "--cooldown <span>",
        "pause after members were removed, and time for these to finish (default: 1s)",
        parseSeconds,
      )
      .action(
        act(async ({ client, out, signal }, name: string, options: Options) => {
          const { template, min, max, warmup, cooldown, rom } = options;
          const item = {
            ...referenceOf(name),
            create_args: {
              template: referenceOf(template),
              ...(rom === undefined ? {} : { roms: [...rom] }),
            },
            ...(min === undefined ? {} : { min_size: min }),
            ...(max === undefined ? {} : { max_size: max }),
            ...(warmup === undefined ? {} : { warmup_time_ms: toMs(warmup) }),
            ...(cooldown === undefined ? {} : { cooldown_time_ms: toMs(cooldown) }),
          };
          const envelope = await client.operation(
            "createAutoscaleConfigurations",
            { body: [item] },
            { signal },
          );
          const [group] = envelopeItems<{ name: string }>(envelope, "service_groups", `scaling '${name}'`);
          await out.show(group, { text: () => `${group?.name}\n` });
        }),
      );
  },
};
