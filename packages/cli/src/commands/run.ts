import { UniError } from "@uni/contract/errors";
import type { VmInfo } from "@uni/contract/rpc";
import { addDetachKeys, driveConsole, requireConsole } from "../console.ts";
import type { Context } from "../context.ts";
import type { CommandModule } from "../define.ts";
import { followToEnd } from "../follow.ts";
import type { Output } from "../output.ts";
import type { DetachKeys } from "../parse/detach-keys.ts";
import { parseSeconds } from "../parse/time-span.ts";
import { pullAndMake } from "../pull-and-make.ts";
import { refuseFailed } from "../refuse-failed.ts";
import { printable } from "../render/escape.ts";
import { addRunOptions, type RunOptions, runParams } from "../run-options.ts";

interface Options extends RunOptions {
  readonly detachKeys: DetachKeys;
  readonly attach?: boolean;
  readonly detach?: boolean;
  readonly timeout: number;
}

const defaultWaitS = 60;

/** What a bare name would hide: that it does not run, or not yet. */
function noteState(out: Output, { name, state, exit_code, exit_reason }: VmInfo): void {
  if (state === "running") return;
  if (state !== "stopped") {
    out.note(`${name} is still ${state}. See: uni ps`);
    return;
  }
  const reason = exit_reason ?? (exit_code === undefined ? "" : `exit status ${exit_code}`);
  out.note(
    `${name} has ended already${reason === "" ? "" : `: ${printable(reason)}`}. See: uni logs ${name}`,
  );
}

/** Where the program could not even be started: a shell's words for why. */
function startStatus({ state, exit_code }: VmInfo): number {
  if (state !== "stopped" || exit_code === undefined) return 0;
  return exit_code === 126 || exit_code === 127 ? exit_code : 0;
}

export const run: CommandModule = {
  examples: [
    "uni run hello",
    "uni run --rm -m 256 --vcpus 2 -e A=b --name web -p 8080:80 hello -- --verbose",
    "uni run --rm -it alpine sh",
    "uni run --rm --attach debian:bookworm-slim cat /etc/os-release",
    "uni run --template base --name web",
    "uni run -d --restart on-failure:5 --env-file app.env registry.example.com/app:1.2",
  ],
  define(command, act) {
    command
      .argument("[image]", "image reference, or a digest; not with --template, --checkpoint or --branch")
      .argument("[args...]", "arguments of the program, in place of the image's")
      .passThroughOptions()
      .option("--attach", "stream its output and end with its exit status; Ctrl-C stops it")
      .option("-d, --detach", "print its name and leave it running (the default)")
      .option("--timeout <span>", "how long to wait until it runs", parseSeconds, defaultWaitS);
    addRunOptions(addDetachKeys(command)).action(
      act(async (context, image: string | undefined, args: string[], options: Options) => {
        const { out } = context;
        const { replicas: count = 1, pull } = options;
        const doing = `starting ${image ?? options.name ?? "it"}`;
        const { interactive = false, tty = false, attach = false, detach = false } = options;
        const isJoined = (interactive || tty) && !detach;
        const stays = (attach || isJoined) && !detach;
        if (isJoined) requireConsole(context, { interactive, tty });
        const params = runParams(image, args, options, context.env);
        if (stays && count > 1)
          throw new UniError("exclusive", "running: --attach, -i or -t, and --replicas do not go together");
        if (isJoined) {
          const joined = { ...params, autostart: false };
          const [vm] = await pullAndMake(context, joined, { count: 1, pull, doing });
          return runJoined(context, vm as VmInfo, options, image === undefined);
        }
        if (stays) {
          // Without waiting: nothing that it prints or how it ends is missed, even with --rm.
          const [vm] = await pullAndMake(context, params, { count: 1, pull, doing });
          const id = vm?.id ?? "";
          const status = await followToEnd(context, id);
          // It deletes itself, but not before it knows that nobody reads any more.
          if (options.rm === true) await removeIfThere(context, id);
          return status;
        }
        const wait_s = Math.round(options.timeout);
        const vms = await pullAndMake(context, { ...params, wait_s }, { count, pull, doing });
        await out.show(count === 1 ? vms[0] : vms, { text: () => vms.map((vm) => `${vm.name}\n`).join("") });
        for (const vm of vms) refuseFailed(vm);
        for (const vm of vms) noteState(out, vm);
        return Math.max(...vms.map(startStatus));
      }),
    );
  },
};

/** What it is started for is over when its program ends; with --rm it is gone then. */
async function runJoined(
  context: Context,
  vm: VmInfo,
  { interactive = false, tty = false, detachKeys, rm }: Options,
  isCopy: boolean,
): Promise<number> {
  const { client, signal } = context;
  // A copy has the terminal that it was copied with, or none.
  const { tty: has, stdin_open: takes } = isCopy
    ? await client.call("VM.Inspect", { id: vm.id }, { signal })
    : { tty, stdin_open: interactive };
  const status = await driveConsole(context, vm, {
    interactive: interactive && takes === true,
    tty: tty && has === true,
    start: true,
    detachKeys,
    stops: true,
  }).catch(async (error: unknown) => {
    // What was not started does not remove itself; what runs stays.
    if (rm === true && error instanceof UniError) await removeIfThere(context, vm.id).catch(() => {});
    throw error;
  });
  if (rm === true && status !== "detached") await removeIfThere(context, vm.id);
  return status === "detached" ? 0 : status;
}

/** One that is locked stays. */
async function removeIfThere({ client, signal }: Context, id: string): Promise<void> {
  try {
    await client.call("VM.Remove", { id }, { signal });
  } catch (error) {
    if (!(error instanceof UniError && ["not_found", "delete_locked"].includes(error.code))) throw error;
  }
}
