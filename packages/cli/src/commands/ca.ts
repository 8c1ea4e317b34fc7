import type { CommandEntry, CommandModule } from "../define.ts";

const group = "Commands:";

const authorityCommands: readonly CommandEntry[] = [
  {
    name: "export",
    group,
    summary: "print the local authority's certificate",
    load: async () => (await import("./ca/export.ts")).caExport,
  },
  {
    name: "trust",
    group,
    summary: "have the daemon's machine trust the local authority",
    load: async () => (await import("./ca/trust.ts")).caTrust,
  },
];

export const ca: CommandModule = {
  examples: ["uni ca export > uni.pem", "uni ca trust"],
  subcommands: authorityCommands,
  define() {},
};
