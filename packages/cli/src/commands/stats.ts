import type { VmStats } from "@uni/contract/rpc";
import { Option } from "commander";
import type { Context } from "../context.ts";
import type { CommandModule } from "../define.ts";
import { parseCount } from "../parse/count.ts";
import { renderTable } from "../render/table.ts";
import { formatBytes } from "../render/units.ts";
import { pause } from "../time.ts";

interface StatsOptions {
  readonly watch?: boolean;
  readonly interval: number;
}

async function measure({ client, signal }: Context, names: readonly string[]): Promise<readonly VmStats[]> {
  if (names.length === 0) return client.call("VM.Stats", {}, { signal });
  const answers = await Promise.all(names.map((id) => client.call("VM.Stats", { id }, { signal })));
  return answers.flat();
}

const optional = (bytes: number | undefined): string => (bytes === undefined ? "-" : formatBytes(bytes));

function table(all: readonly VmStats[], width: number | undefined): string {
  return renderTable(
    all,
    [
      { title: "NAME", value: (one) => one.name, shrinkTo: 12 },
      { title: "CPU", value: (one) => `${one.cpu_pct.toFixed(1)}%`, align: "right" },
      {
        title: "MEMORY / LIMIT",
        value: (one) => `${optional(one.mem_bytes)} / ${formatBytes(one.mem_limit_bytes)}`,
        align: "right",
      },
      { title: "HOST MEMORY", value: (one) => formatBytes(one.rss_bytes), align: "right", leaveOut: 4 },
      { title: "DISK", value: (one) => optional(one.disk_bytes), align: "right", leaveOut: 2 },
      {
        title: "NET IN / OUT",
        value: (one) => `${formatBytes(one.net_rx_bytes)} / ${formatBytes(one.net_tx_bytes)}`,
        align: "right",
        leaveOut: 3,
      },
      {
        title: "PROCESSES",
        value: (one) => (one.processes === undefined ? "-" : String(one.processes)),
        align: "right",
        leaveOut: 1,
      },
    ],
    { width },
  );
}

async function follow(context: Context, names: readonly string[], interval: number): Promise<void> {
  const { out, signal } = context;
  for (;;) {
    const all = await measure(context, names);
    const clear = out.stdout.isTTY === true ? "\u001b[H\u001b[2J" : "";
    await out.showItem(all, () => clear + table(all, out.width));
    await pause(interval * 1000, signal);
    signal.throwIfAborted();
  }
}

export const stats: CommandModule = {
  examples: ["uni stats", "uni stats web -o json", "uni stats --watch --interval 5"],
  define(command, act) {
    command
      .argument("[names...]", "instances; without: all that run")
      .option("-w, --watch", "measure again and again until Ctrl-C")
      .addOption(new Option("--no-stream", "measure once, as without --watch").hideHelp())
      .option("-i, --interval <seconds>", "time between measurements", parseCount(1, 3600), 2)
      .action(
        act(async (context, names: string[], { watch, interval }: StatsOptions) => {
          const { out } = context;
          if (watch !== true) {
            const all = await measure(context, names);
            const value = names.length === 1 ? all[0] : all;
            await out.show(value, {
              text: () => table(all, out.width),
              names: () => all.map((one) => one.name),
            });
            return;
          }
          await follow(context, names, interval);
        }),
      );
  },
};

export const top: CommandModule = {
  examples: ["uni top", "uni top web --interval 5"],
  define(command, act) {
    command
      .argument("[names...]", "instances; without: all that run")
      .option("-i, --interval <seconds>", "time between measurements", parseCount(1, 3600), 2)
      .action(
        act((context, names: string[], { interval }: StatsOptions) => follow(context, names, interval)),
      );
  },
};
