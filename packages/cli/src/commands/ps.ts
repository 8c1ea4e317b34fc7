import { UniError } from "@uni/contract/errors";
import type { VmInfo } from "@uni/contract/rpc";
import { type CommandModule, collect } from "../define.ts";
import { parseCount } from "../parse/count.ts";
import { type Palette, stateColour } from "../render/colour.ts";
import { portsText } from "../render/ports.ts";
import { renderTable } from "../render/table.ts";
import { parseTemplate } from "../render/template.ts";
import { formatAgo, formatDuration } from "../render/units.ts";
import { nowMs } from "../time.ts";

interface PsOptions {
  readonly all?: boolean;
  readonly filter?: readonly string[];
  readonly last?: number;
  readonly latest?: boolean;
  readonly format?: (vm: object) => string;
  readonly trunc: boolean;
}

type Filter = (vm: VmInfo) => boolean;

const fields: Readonly<Record<string, (vm: VmInfo) => string>> = {
  state: (vm) => vm.state,
  /** Docker's word for it, and some of Docker's words for states. */
  status: (vm) => vm.state,
  name: (vm) => vm.name,
  image: (vm) => vm.image,
};

const dockerStates: Readonly<Record<string, string>> = { exited: "stopped", paused: "standby" };

function parseFilter(text: string): Filter {
  const [key = "", value] = text.split("=", 2);
  const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
  if (field === undefined || value === undefined) {
    throw new UniError("invalid_value", `reading --filter '${text}': write KEY=VALUE`, {
      hint: `Keys: ${Object.keys(fields).join(", ")}.`,
    });
  }
  if (!isState(text)) return (vm) => field(vm).includes(value);
  const state = dockerStates[value] ?? value;
  return (vm) => field(vm) === state;
}

const isState = (filter: string): boolean => /^(state|status)=/.test(filter);

/** The last that were made, newest first. */
const newest = (vms: readonly VmInfo[], count: number): readonly VmInfo[] =>
  [...vms].sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at)).slice(0, count);

/** What a template sees: all that the daemon says, and what the table shows. */
const templateValue = (vm: VmInfo): object => ({
  ...vm,
  names: vm.name,
  ports: portsText(vm.ports),
  status: statusText(vm, nowMs()),
});

/** "Up 3 minutes", "Exited (0) 2 hours ago", "Exited (1), again in 5 seconds". */
export function statusText(vm: VmInfo, now: number): string {
  if (vm.state === "running" && vm.started_at !== undefined) {
    return `Up ${formatDuration(now - Date.parse(vm.started_at))}`;
  }
  if (vm.sleep !== undefined) {
    return `Asleep ${formatDuration(now - Date.parse(vm.sleep.since))} (${vm.sleep.tier})`;
  }
  if (vm.state !== "stopped") return vm.state;
  if (vm.started_at === undefined) return "Created";
  const code = vm.exit_code === undefined ? "" : ` (${vm.exit_code})`;
  if (vm.restart_at !== undefined) {
    return `Exited${code}, again in ${formatDuration(Date.parse(vm.restart_at) - now)}`;
  }
  return `Exited${code} ${formatAgo(vm.stopped_at, now)}`;
}

function table(vms: readonly VmInfo[], colours: Palette, width: number | undefined): string {
  const now = nowMs();
  return renderTable(
    vms,
    [
      { title: "NAME", value: (vm) => vm.name, shrinkTo: 12 },
      { title: "STATE", value: (vm) => vm.state, paint: (text, vm) => stateColour(vm.state, colours)(text) },
      { title: "IMAGE", value: (vm) => vm.image, shrinkTo: 12, leaveOut: 1 },
      { title: "ADDRESS", value: (vm) => vm.ip || "-", leaveOut: 3 },
      { title: "PORTS", value: (vm) => portsText(vm.ports), shrinkTo: 12, leaveOut: 2 },
      { title: "STATUS", value: (vm) => statusText(vm, now), shrinkTo: 12 },
    ],
    { width },
  );
}

export const ps: CommandModule = {
  examples: [
    "uni ps",
    "uni ps -a --filter state=stopped",
    "uni ps -aq | xargs uni rm -f",
    "uni ps --format '{{.name}} {{.ip}}'",
    "uni ps -o json",
  ],
  define(command, act) {
    command
      .option("-a, --all", "also those that do not run")
      .option("-f, --filter <key=value>", "only those with this state, name or image; repeatable", collect)
      .option("-n, --last <count>", "the last that were made, whatever their state", parseCount(1, 1_000_000))
      .option("-l, --latest", "the last one that was made")
      .option("--format <template>", "print each so: {{.name}}, {{json .ports}}", parseTemplate)
      .option("--no-trunc", "cut nothing to fit the terminal")
      .action(
        act(async ({ client, out, signal }, options: PsOptions) => {
          const { filter = [], latest, last = latest === true ? 1 : undefined, format } = options;
          const filters = filter.map(parseFilter);
          const everything = options.all === true || last !== undefined || filter.some(isState);
          const vms = await client.call("VM.List", { all: everything }, { signal });
          const fitting = vms.filter((vm) => filters.every((matches) => matches(vm)));
          const shown = last === undefined ? fitting : newest(fitting, last);
          await out.show(shown, {
            text: () =>
              format === undefined
                ? table(shown, out.colours, options.trunc ? out.width : undefined)
                : shown.map((vm) => `${format(templateValue(vm))}\n`).join(""),
            names: () => shown.map((vm) => vm.name),
          });
        }),
      );
  },
};
