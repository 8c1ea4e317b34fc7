import type { DiskUsageKind } from "@uni/contract/enums";
import type { DiskUsage } from "@uni/contract/rpc";
import type { CommandModule } from "../define.ts";
import { renderTable } from "../render/table.ts";
import { formatBytes } from "../render/units.ts";

const words: Readonly<Record<DiskUsageKind, string>> = {
  images: "root file systems of images",
  image_layers: "layers, configs and manifests of images",
  downloads: "begun downloads of layers",
  uploads: "begun uploads to this machine's registry",
  builds: "caches of builds, and work in progress",
  boot: "booted kernels to start from",
  instances: "disks of instances",
  sleepers: "memory of sleeping instances",
  logs: "what programs printed",
  layers: "disks that several stand on",
  snapshots: "memory of templates, checkpoints and branches",
  roms: "files that were given for ROMs",
};

const sizeText = (bytes: number | undefined): string => (bytes === undefined ? "" : formatBytes(bytes));

function text({ kinds, total_bytes }: DiskUsage, width: number | undefined): string {
  const rows = [
    ...kinds.map(({ kind, count, bytes, shared_bytes, reclaimable_bytes }) => ({
      kind: kind as string,
      count: `${count}`,
      bytes,
      shared: shared_bytes,
      reclaimable: reclaimable_bytes,
      what: words[kind],
    })),
    { kind: "total", count: "", bytes: total_bytes, shared: undefined, reclaimable: undefined, what: "" },
  ];
  return renderTable(
    rows,
    [
      { title: "KIND", value: ({ kind }) => kind },
      { title: "COUNT", value: ({ count }) => count, align: "right", leaveOut: 3 },
      { title: "SIZE", value: ({ bytes }) => formatBytes(bytes), align: "right" },
      { title: "SHARED", value: ({ shared }) => sizeText(shared), align: "right", leaveOut: 2 },
      { title: "PRUNABLE", value: ({ reclaimable }) => sizeText(reclaimable), align: "right" },
      { title: "WHAT", value: ({ what }) => what, shrinkTo: 12, leaveOut: 1 },
    ],
    { width },
  );
}

export const df: CommandModule = {
  examples: ["uni df", "uni df -o json | jq .total_bytes"],
  define(command, act) {
    command.action(
      act(async ({ client, out, signal }) => {
        const usage = await client.call("Daemon.DiskUsage", {}, { signal });
        await out.show(usage, { text: () => text(usage, out.width) });
      }),
    );
  },
};
