import type { CommandEntry, CommandModule } from "../define.ts";

const group = "Commands:";

export const kernelCommands: readonly CommandEntry[] = [
  {
    name: "list",
    group,
    summary: "list kernels; * marks the one that new instances boot",
    aliases: ["ls"],
    load: async () => (await import("./kernel/list.ts")).kernelList,
  },
  {
    name: "use",
    group,
    summary: "boot new instances with this one",
    completes: "kernels",
    load: async () => (await import("./kernel/use.ts")).kernelUse,
  },
  {
    name: "check",
    group,
    summary: "ask whether the distribution has a newer one",
    load: async () => (await import("./kernel/check.ts")).kernelCheck,
  },
  {
    name: "update",
    group,
    summary: "install the distribution's newest",
    load: async () => (await import("./kernel/update.ts")).kernelUpdate,
  },
  {
    name: "build",
    group,
    summary: "build the lean one, which boots faster; takes minutes",
    load: async () => (await import("./kernel/build.ts")).kernelBuild,
  },
  {
    name: "rm",
    group,
    summary: "remove kernels that nothing uses",
    completes: "kernels",
    load: async () => (await import("./kernel/rm.ts")).kernelRm,
  },
];

export const kernel: CommandModule = {
  examples: ["uni kernel list", "uni kernel build && uni kernel use $(uni kernel list -q | head -1)"],
  subcommands: kernelCommands,
  define() {},
};
