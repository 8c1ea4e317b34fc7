import { UniError } from "@uni/contract/errors";
import { addDetachKeys, driveConsole, requireConsole } from "../console.ts";
import type { Context } from "../context.ts";
import type { CommandModule } from "../define.ts";
import { forEachItem } from "../items.ts";
import type { DetachKeys } from "../parse/detach-keys.ts";
import { withSpinner } from "../progress.ts";
import { refuseFailed } from "../refuse-failed.ts";

interface StartOptions {
  readonly cold?: boolean;
  readonly attach?: boolean;
  readonly interactive?: boolean;
  readonly detachKeys: DetachKeys;
}

async function startJoined(
  context: Context,
  names: readonly string[],
  { cold, interactive = false, detachKeys }: StartOptions,
): Promise<number> {
  const { client, signal } = context;
  const [id = ""] = names;
  if (names.length > 1 || cold === true) {
    const other = cold === true ? "--cold" : "several instances";
    throw new UniError("exclusive", `starting: -a or -i, and ${other} do not go together`);
  }
  const vm = await client.call("VM.Inspect", { id }, { signal });
  const { tty = false, stdin_open = false } = vm;
  const console = { interactive: interactive && stdin_open, tty, detachKeys };
  requireConsole(context, console);
  const status = await driveConsole(context, vm, { ...console, start: true, stops: true });
  return status === "detached" ? 0 : status;
}

export const start: CommandModule = {
  examples: ["uni start web", "uni ps -aq | xargs uni start", "uni start --cold web", "uni start -ai shell"],
  define(command, act) {
    command
      .argument("<names...>", "instances")
      .option("--cold", "boot a sleeping one without the memory it had")
      .option("-a, --attach", "stay with it, and end with its exit status; one instance only")
      .option("-i, --interactive", "pass standard input on to one that was made with -i");
    addDetachKeys(command).action(
      act(async (context, names: string[], options: StartOptions) => {
        const { client, out, signal } = context;
        const { cold, attach = false, interactive = false } = options;
        if (attach || interactive) return startJoined(context, names, options);
        return withSpinner(out, "starting", () =>
          forEachItem(
            context,
            names,
            async (id) => {
              const vm = await client.call("VM.Start", cold === true ? { id, cold } : { id }, { signal });
              refuseFailed(vm);
              return vm;
            },
            (vm) => `${vm.name}\n`,
          ),
        );
      }),
    );
  },
};
