import { UniError } from "@uni/contract/errors";
import type { InstanceUpdate } from "@uni/contract/resources/instance";
import type { RomPart } from "@uni/contract/resources/instance-parts";
import { type CommandModule, collect } from "../define.ts";
import { parseCount } from "../parse/count.ts";
import { readEnvironment } from "../parse/environment.ts";
import { parseMemory } from "../parse/memory.ts";
import { collectRom } from "../parse/rom.ts";
import { programArguments } from "../run-options.ts";
import { addSleepOptions, type SleepOptions, sleepSetting } from "../sleep-options.ts";

interface UpdateOptions extends SleepOptions {
  readonly image?: string;
  readonly memory?: number;
  readonly vcpus?: number;
  readonly hostname?: string;
  readonly env?: readonly string[];
  readonly rmEnv?: readonly string[];
  readonly tag?: readonly string[];
  readonly rmTag?: readonly string[];
  readonly rom?: readonly RomPart[];
  readonly rmRom?: readonly string[];
  readonly deleteLock?: boolean;
}

function updatesOf(
  options: UpdateOptions,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): InstanceUpdate[] {
  const updates: InstanceUpdate[] = [];
  const add = (prop: InstanceUpdate["prop"], op: InstanceUpdate["op"], value: unknown) => {
    if (value !== undefined) updates.push({ prop, op, value });
  };
  add("image", "set", options.image);
  add("memory_mb", "set", options.memory);
  add("vcpus", "set", options.vcpus);
  add("hostname", "set", options.hostname);
  add("scale_to_zero", "add", sleepSetting(options));
  add("delete_lock", "set", options.deleteLock);
  if (options.rmEnv !== undefined) add("env", "del", options.rmEnv);
  if (options.env !== undefined) add("env", "add", readEnvironment(options.env, undefined, env));
  add("roms", "del", options.rmRom);
  add("roms", "add", options.rom);
  add("tags", "del", options.rmTag);
  add("tags", "add", options.tag);
  if (args.length > 0) add("args", "set", programArguments(args));
  return updates;
}

/** A word that is there by mistake must not become the program's argument. */
function refuseStrayWords(id: string, args: readonly string[], afterDashes: readonly string[]): void {
  const stray = args.slice(0, Math.max(0, args.length - afterDashes.length));
  if (stray.length === 0) return;
  throw new UniError("malformed", `updating '${id}': '${stray.join(" ")}' is no option`, {
    hint: `New arguments of the program come after two dashes: uni update ${id} -- ${args.join(" ")}`,
  });
}

export const update: CommandModule = {
  examples: [
    "uni update web --memory 512M --vcpus 2",
    "uni update web --env LEVEL=debug --rm-env OLD --tag blue",
    "uni update web --no-delete-lock",
    "uni update web --rom name=site,dir=./public,at=/srv/site",
    "uni update web --scale-to-zero idle --cooldown 5s --stateful",
    "uni update web -- --verbose",
  ],
  define(command, act) {
    addSleepOptions(command)
      .argument("<name>", "instance")
      .argument("[args...]", "new arguments of the program, after --")
      .option("--image <reference>", "image")
      .option("-m, --memory <size>", "memory, such as 512M or 1G", parseMemory)
      .option("--vcpus <count>", "virtual processors", parseCount(1, 64))
      .option("--hostname <label>", "host name")
      .option("-e, --env <key=value>", "set an environment variable; repeatable", collect)
      .option("--rm-env <key>", "remove an environment variable; repeatable", collect)
      .option("--rom <name=,image=|dir=,at=>", "add a ROM, or put it in place of one; repeatable", collectRom)
      .option("--rm-rom <name>", "take a ROM away; repeatable", collect)
      .option("--tag <tag>", "add a tag; repeatable", collect)
      .option("--rm-tag <tag>", "remove a tag; repeatable", collect)
      .option("--no-stateful", "boot when it wakes")
      .option("--delete-lock", "refuse to remove it")
      .option("--no-delete-lock", "let it be removed again")
      .action(
        act(async (context, id: string, args: string[], options: UpdateOptions) => {
          const { client, out, env, signal } = context;
          refuseStrayWords(id, args, context.afterDashes);
          const updates = updatesOf(options, args, env);
          if (updates.length === 0) {
            throw new UniError("malformed", `updating '${id}': nothing to change was given`, {
              hint: "See uni update --help.",
            });
          }
          const vm = await client.call("VM.Update", { id, updates }, { signal });
          await out.show(vm, { text: () => `${vm.name}\n` });
          if ((vm.updates ?? []).length > 0)
            out.note(`Some changes of ${vm.name} wait for its next start; ROMs for its next wake too.`);
        }),
      );
  },
};
