import { errorTable, UniError } from "@uni/contract/errors";
import type { DoctorCheck, DoctorReport } from "@uni/contract/rpc";
import type { Context } from "../context.ts";
import type { CommandModule } from "../define.ts";
import { parseSeconds } from "../parse/time-span.ts";
import { withSpinner } from "../progress.ts";
import type { Palette } from "../render/colour.ts";
import { printable } from "../render/escape.ts";
import { nowMs, pause } from "../time.ts";

const betweenTriesMs = 100;
const marks = { ok: "ok     ", warning: "warning", failed: "FAILED " } as const;

function checkText({ name, status, message, hint }: DoctorCheck, colours: Palette): string {
  const paint = { ok: colours.good, warning: colours.warn, failed: colours.bad }[status];
  const advice = hint === undefined ? "" : `         ${colours.dim(printable(hint))}\n`;
  return `${paint(marks[status])}  ${printable(name)}: ${printable(message)}\n${advice}`;
}

async function ask(context: Context, until: number): Promise<DoctorReport> {
  const { client, signal } = context;
  for (;;) {
    try {
      return await client.call("Daemon.Doctor", {}, { signal });
    } catch (error) {
      const isAway = error instanceof UniError && error.code === "unreachable";
      if (!isAway || nowMs() >= until) throw error;
    }
    await pause(betweenTriesMs, signal);
    signal.throwIfAborted();
  }
}

export const doctor: CommandModule = {
  examples: [
    "uni doctor",
    "unid & uni doctor --wait 30s",
    "uni doctor -o json | jq '.checks[] | select(.status != \"ok\")'",
  ],
  define(command, act) {
    command
      .option("--wait <span>", "wait so long for a daemon that is about to start", parseSeconds, 0)
      .action(
        act(async (context, { wait }: { wait: number }) => {
          const { out } = context;
          const report = await withSpinner(out, "waiting for unid", () =>
            ask(context, nowMs() + wait * 1000),
          );
          await out.show(report, {
            text: () => report.checks.map((check) => checkText(check, out.colours)).join(""),
            names: () => report.checks.filter(({ status }) => status !== "ok").map(({ name }) => name),
          });
          return report.healthy ? 0 : errorTable.host_unfit.exit;
        }),
      );
  },
};
