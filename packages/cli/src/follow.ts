import { UniError } from "@uni/contract/errors";
import type { LogLine } from "@uni/contract/rpc";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import { printable } from "./render/escape.ts";

/** The program's own output goes where it went in the guest, byte for byte; what Uni says goes to stderr. */
export function printLogLine(
  out: Output,
  { time, stream, line }: LogLine,
  timestamps = false,
): Promise<void> {
  if (out.structured) return out.showItem({ time, stream, line }, () => "");
  const prefix = timestamps ? `${time} ` : "";
  if (stream === "stdout") return out.bytes(out.stdout, `${prefix}${line}\n`);
  if (stream === "stderr") return out.bytes(out.stderr, `${prefix}${line}\n`);
  return out.bytes(out.stderr, `${prefix}uni: ${printable(line)}\n`);
}

/** The first Ctrl-C stops the instance politely, the second kills it, the third leaves it to itself. */
function stopOnInterrupt({ client, interrupts }: Context, id: string): () => void {
  let times = 0;
  return interrupts.take(() => {
    times += 1;
    if (times === 1) void client.call("VM.Stop", { id }, { timeoutMs: Infinity }).catch(() => {});
    else if (times === 2) void client.call("VM.Kill", { id }).catch(() => {});
    else process.exit(130);
  });
}

/** Returns the last thing that Uni itself said. */
async function printOutput({ client, out, signal }: Context, id: string): Promise<string | undefined> {
  let said: string | undefined;
  try {
    for await (const line of client.events(
      "VM.Logs",
      { id, follow: true },
      { signal, timeoutMs: Infinity },
    )) {
      await printLogLine(out, line);
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
    const said = await printOutput(context, id);
    const { exit_code, exit_reason } = await waiting;
    if (out.structured) await out.showItem({ exit_code }, () => "");
    else if (exit_reason !== undefined && exit_code !== 0 && exit_reason !== said)
      out.note(`uni: ${printable(exit_reason)}`);
    // Nobody knows the program's status when its machine was killed or broke down.
    return exit_code ?? 137;
  } finally {
    release();
  }
}
