import { InvalidArgumentError } from "commander";
import type { CommandModule } from "../define.ts";
import { logPrinter } from "../log-printer.ts";
import { parseSince } from "../parse/time-span.ts";
import { nowMs } from "../time.ts";

interface LogsOptions {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly since?: number;
  readonly timestamps?: boolean;
}

function parseTail(text: string): number | undefined {
  if (text === "all") return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("Give a number of lines, or all.");
  return Number(text);
}

export const logs: CommandModule = {
  examples: [
    "uni logs web",
    "uni logs -f --tail 20 web",
    "uni logs --since 10m --timestamps web 2>/dev/null",
  ],
  define(command, act) {
    command
      .argument("<name>", "instance")
      .option("-f, --follow", "go on with what comes, until the instance stops")
      .option("-n, --tail <lines>", "only the last lines", parseTail)
      .option("--since <time>", "only what is newer: a span such as 10m, or a time", (text) =>
        parseSince(text, nowMs()),
      )
      .option("-t, --timestamps", "begin each line with its time")
      .action(
        act(async ({ client, out, signal }, id: string, options: LogsOptions) => {
          const { follow, tail, since, timestamps } = options;
          const params = {
            id,
            ...(follow === true ? { follow, ...(out.structured ? {} : { partial: true }) } : {}),
            ...(tail === undefined ? {} : { tail }),
            // A start of time keeps stdout and stderr apart, which the plain reply does not.
            ...(since === undefined && tail !== undefined
              ? {}
              : { since: new Date(since ?? 0).toISOString() }),
          };
          const lines = client.events("VM.Logs", params, {
            signal,
            timeoutMs: follow ? Infinity : undefined,
          });
          const print = logPrinter(out, timestamps);
          for await (const line of lines) await print(line);
        }),
      );
  },
};
