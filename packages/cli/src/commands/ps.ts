import { UniError } from "@uni/contract/errors";
import type { VmInfo } from "@uni/contract/rpc";
import { type CommandModule, collect } from "../define.ts";
import type { Output } from "../output.ts";
import { type Palette, stateColour } from "../render/colour.ts";
import { portsText } from "../render/ports.ts";
import { renderTable } from "../render/table.ts";
import { formatAgo, formatDuration } from "../render/units.ts";
import { nowMs } from "../time.ts";

interface PsOptions {
  readonly all?: boolean;
  readonly filter?: readonly string[];
}

type Filter = (vm: VmInfo) => boolean;

const fields: Readonly<Record<string, (vm: VmInfo) => string>> = {
  state: (vm) => vm.state,
  name: (vm) => vm.name,
  image: (vm) => vm.image,
};

function parseFilter(text: string): Filter {
  const [key = "", value] = text.split("=", 2);
  const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
  if (field === undefined || value === undefined) {
    throw new UniError("invalid_value", `reading --filter '${text}': write KEY=VALUE`, {
      hint: `Keys: ${Object.keys(fields).join(", ")}.`,
    });
  }
  return (vm) => (key === "state" ? field(vm) === value : field(vm).includes(value));
}

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

function table(vms: readonly VmInfo[], colours: Palette, out: Output): string {
  const now = nowMs();
  return renderTable(
    vms,
    [
      { title: "NAME", value: (vm) => vm.name, shrinkTo: 16 },
      { title: "STATE", value: (vm) => vm.state, paint: (text, vm) => stateColour(vm.state, colours)(text) },
      { title: "IMAGE", value: (vm) => vm.image, shrinkTo: 12 },
      { title: "ADDRESS", value: (vm) => vm.ip || "-" },
      { title: "PORTS", value: (vm) => portsText(vm.ports), shrinkTo: 12 },
      { title: "STATUS", value: (vm) => statusText(vm, now), shrinkTo: 12 },
    ],
    { width: out.width },
  );
}

export const ps: CommandModule = {
  examples: ["uni ps", "uni ps -a --filter state=stopped", "uni ps -aq | xargs uni rm -f", "uni ps -o json"],
  define(command, act) {
    command
      .option("-a, --all", "also those that do not run")
      .option("--filter <key=value>", "only those with this state, name or image; repeatable", collect)
      .action(
        act(async ({ client, out, signal }, { all, filter = [] }: PsOptions) => {
          const filters = filter.map(parseFilter);
          const everything = all === true || filter.some((text) => text.startsWith("state="));
          const vms = await client.call("VM.List", { all: everything }, { signal });
          const shown = vms.filter((vm) => filters.every((matches) => matches(vm)));
          await out.show(shown, {
            text: () => table(shown, out.colours, out),
            names: () => shown.map((vm) => vm.name),
          });
        }),
      );
  },
};
