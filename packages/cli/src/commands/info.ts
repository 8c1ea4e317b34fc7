import type { DaemonInfo } from "@uni/contract/rpc";
import type { CommandModule } from "../define.ts";
import { renderFields } from "../render/table.ts";
import { formatAgo, formatBytes } from "../render/units.ts";
import { nowMs } from "../time.ts";

function acceleratorText({ accelerator, accelerator_reason }: DaemonInfo): string {
  const reason = accelerator_reason === undefined ? "" : ` (${accelerator_reason})`;
  return accelerator === "tcg" ? `tcg: emulation, no isolation boundary${reason}` : accelerator + reason;
}

function text(info: DaemonInfo): string {
  const { host, instances, network, vmm } = info;
  return renderFields([
    ["Daemon", `unid ${info.version}, process ${info.pid}, started ${formatAgo(info.started_at, nowMs())}`],
    ["Data", info.data_dir],
    ["Socket", info.socket],
    ["REST API", info.listen ?? "off"],
    [
      "Registry",
      info.listen === undefined ? "off" : `${info.listen}, any user name, a token as the password`,
    ],
    ["Accelerator", acceleratorText(info)],
    ["VMM", `${vmm.name} ${vmm.version}`],
    ["Kernel", info.kernel],
    ["Instances", `${instances.running} running of ${instances.total}`],
    ["Images", String(info.images)],
    ["Network", `${network.pool}, gateway ${network.gateway}`],
    [
      "Host",
      `${host.architecture}, Linux ${host.kernel}, ${host.cpus} processors, ${formatBytes(host.memory_mb * 1048576)}`,
    ],
  ]);
}

export const info: CommandModule = {
  examples: ["uni info", "uni info -o json | jq -r .accelerator"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const answer = await client.call("Daemon.Info", {}, { signal });
        await out.show(answer, { text: () => text(answer) });
      }),
    );
  },
};
