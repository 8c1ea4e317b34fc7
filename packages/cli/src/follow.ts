import { UniError } from "@uni/contract/errors";
import type { LogLine } from "@uni/contract/rpc";
import type { Context } from "./context.ts";
import { logPrinter } from "./log-printer.ts";

/**
 * The first Ctrl-C stops the instance politely, the second kills it, the third leaves it to itself. When nobody reads its
 * output any more it is stopped too, as a local program would end by SIGPIPE.
 */
export function stopOnInterrupt({ client, interrupts }: Context, id: string): () => void {
  let times = 0;
  const stop = () => client.call("VM.Stop", { id }, { timeoutMs: Infinity }).catch(() => {});
  const onInterrupt = () => {
    times += 1;
    if (times === 1) void stop();
    else if (times === 2) void client.call("VM.Kill", { id }).catch(() => {});
    else process.exit(130);
  };
  return interrupts.take(onInterrupt, { onReaderGone: stop });
}

/** Returns the last thing that Uni itself said. */
async function printOutput(
  { client, out, signal }: Context,
  id: string,
  print: (line: LogLine) => Promise<void>,
): Promise<string | undefined> {
  let said: string | undefined;
  try {
    for await (const line of client.events(
      "VM.Logs",
      { id, follow: true, ...(out.structured ? {} : { partial: true }) },
      { signal, timeoutMs: Infinity },
    )) {
      await print(line);
      if (line.stream === "system") said = line.line;
    }
  } catch (error) {
    signal.throwIfAborted();
    // With --rm the instance may be gone between its last line and our reading of it.
    if (error instanceof UniError && error.code === "not_found") return said;
    throw error;
  }
  return said;
}

/** Streams an instance's output until it has stopped for good; resolves with its program's exit status. */
export async function followToEnd(context: Context, id: string): Promise<number> {
  const { client, out, signal } = context;
  const release = stopOnInterrupt(context, id);
  const waiting = client.call("VM.Wait", { id }, { signal, timeoutMs: Infinity });
  waiting.catch(() => {});
  try {
    const print = logPrinter(out);
    const said = await printOutput(context, id, print);
    const { exit_code, exit_reason } = await waiting;
    if (out.structured) await out.showItem({ exit_code }, () => "");
    else if (!out.quiet && exit_reason !== undefined && exit_code !== 0 && exit_reason !== said)
      await print({ time: "", stream: "system", line: exit_reason });
    // Nobody knows the program's status when its machine was killed or broke down.
    return exit_code ?? 137;
  } finally {
    release();
  }
}
