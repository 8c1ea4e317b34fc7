import { errorTable } from "@uni/contract/errors";
import type { DoctorCheck } from "@uni/contract/rpc";
import type { CommandModule } from "../define.ts";
import type { Palette } from "../render/colour.ts";
import { printable } from "../render/escape.ts";

const marks = { ok: "ok     ", warning: "warning", failed: "FAILED " } as const;

function checkText({ name, status, message, hint }: DoctorCheck, colours: Palette): string {
  const paint = { ok: colours.good, warning: colours.warn, failed: colours.bad }[status];
  const advice = hint === undefined ? "" : `         ${colours.dim(printable(hint))}\n`;
  return `${paint(marks[status])}  ${printable(name)}: ${printable(message)}\n${advice}`;
}

export const doctor: CommandModule = {
  examples: ["uni doctor", "uni doctor -o json | jq '.checks[] | select(.status != \"ok\")'"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const report = await client.call("Daemon.Doctor", {}, { signal });
        await out.show(report, {
          text: () => report.checks.map((check) => checkText(check, out.colours)).join(""),
          names: () => report.checks.filter(({ status }) => status !== "ok").map(({ name }) => name),
        });
        return report.healthy ? 0 : errorTable.host_unfit.exit;
      }),
    );
  },
};
