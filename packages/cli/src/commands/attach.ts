import { UniError } from "@uni/contract/errors";
import type { VmDetail } from "@uni/contract/rpc";
import { addDetachKeys, driveConsole, requireConsole } from "../console.ts";
import type { Context } from "../context.ts";
import type { CommandModule } from "../define.ts";
import { logPrinter } from "../log-printer.ts";
import type { DetachKeys } from "../parse/detach-keys.ts";

async function streamConsole({ client, out, signal }: Context, id: string): Promise<void> {
  if (out.structured) {
    const lines = client.events("VM.Logs", { id, follow: true, tail: 0 }, { signal, timeoutMs: Infinity });
    const print = logPrinter(out);
    for await (const line of lines) await print(line);
    return;
  }
  const console = await client.attach(id, { signal });
  const onAbort = () => console.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for await (const chunk of console as AsyncIterable<Uint8Array>) await out.bytes(out.stdout, chunk);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
    console.destroy();
  }
}

/** One that has ended for good has no console; one that is about to be started again will have one. */
async function requireAlive({ client, signal }: Context, id: string): Promise<VmDetail> {
  const vm = await client.call("VM.Inspect", { id }, { signal });
  const { name, state, restart } = vm;
  if (state !== "stopped" || restart?.next_at !== undefined) return vm;
  throw new UniError("wrong_state", `attaching to '${name}': it is stopped`, {
    hint: `uni logs ${name} shows what it printed, uni start ${name} starts it.`,
  });
}

interface AttachOptions {
  readonly stdin: boolean;
  readonly detachKeys: DetachKeys;
}

export const attach: CommandModule = {
  examples: ["uni attach web", "uni attach --no-stdin shell"],
  define(command, act) {
    command
      .argument("<name>", "instance")
      .option("--no-stdin", "pass no input on")
      .addHelpText(
        "after",
        "\nStreams what the program prints from now on and ends with its exit status. One that was made with -i gets what is typed " +
          "here. Ctrl-C detaches; from a terminal (-t), where it is the program's, the detach keys do. The instance goes on.",
      );
    addDetachKeys(command).action(
      act(async (context, id: string, options: AttachOptions) => {
        const { client, out, signal } = context;
        const vm = await requireAlive(context, id);
        const { tty = false, stdin_open = false } = vm;
        if ((tty || stdin_open) && !out.structured) {
          const { stdin, detachKeys } = options;
          const console = { interactive: stdin && stdin_open, tty, detachKeys };
          requireConsole(context, console);
          const status = await driveConsole(context, vm, console);
          return status === "detached" ? 0 : status;
        }
        const waiting = client.call("VM.Wait", { id }, { signal, timeoutMs: Infinity });
        waiting.catch(() => {});
        await streamConsole(context, id);
        const { exit_code } = await waiting;
        if (out.structured) await out.showItem({ exit_code }, () => "");
        return exit_code ?? 137;
      }),
    );
  },
};
