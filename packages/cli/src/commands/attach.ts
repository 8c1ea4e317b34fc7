import { UniError } from "@uni/contract/errors";
import type { Context } from "../context.ts";
import type { CommandModule } from "../define.ts";
import { logPrinter } from "../log-printer.ts";

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
async function requireAlive({ client, signal }: Context, id: string): Promise<void> {
  const { name, state, restart } = await client.call("VM.Inspect", { id }, { signal });
  if (state !== "stopped" || restart?.next_at !== undefined) return;
  throw new UniError("wrong_state", `attaching to '${name}': it is stopped`, {
    hint: `uni logs ${name} shows what it printed, uni start ${name} starts it.`,
  });
}

export const attach: CommandModule = {
  examples: ["uni attach web"],
  define(command, act) {
    command
      .argument("<name>", "instance")
      .addHelpText(
        "after",
        "\nStreams what the program prints from now on and ends with its exit status. Ctrl-C detaches; the instance goes on.",
      )
      .action(
        act(async (context, id: string) => {
          const { client, out, signal } = context;
          await requireAlive(context, id);
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
