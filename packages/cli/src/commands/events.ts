import type { DaemonEvent } from "@uni/contract/rpc";
import type { CommandModule } from "../define.ts";
import { parseCount } from "../parse/count.ts";
import { printable } from "../render/escape.ts";

interface EventsOptions {
  readonly limit?: number;
}

export function eventText(event: DaemonEvent): string {
  const parts = [event.time, event.type];
  if (event.name !== undefined) parts.push(event.name);
  if (event.state !== undefined) {
    parts.push(
      event.previous_state === undefined ? event.state : `${event.previous_state} -> ${event.state}`,
    );
  }
  if (event.exit_code !== undefined) parts.push(`exit ${event.exit_code}`);
  if (event.dropped !== undefined) parts.push(`${event.dropped} events left out`);
  if (event.message !== undefined) parts.push(event.message);
  return `${printable(parts.join("  "))}\n`;
}

export const events: CommandModule = {
  examples: ["uni events", "uni events -o json | jq .name", "uni events --limit 1"],
  define(command, act) {
    command
      .option("-f, --follow", "follow (there is nothing else to do: events are not kept)")
      .option("--limit <count>", "end after so many", parseCount(1, 999_999_999))
      .action(
        act(async ({ client, out, signal }, { limit = Infinity }: EventsOptions) => {
          let seen = 0;
          for await (const event of client.events("Daemon.Events", {}, { signal, timeoutMs: Infinity })) {
            await out.showItem(event, () => eventText(event));
            seen += 1;
            if (seen >= limit) return;
          }
        }),
      );
  },
};
