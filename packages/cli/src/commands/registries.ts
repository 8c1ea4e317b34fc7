import type { CommandEntry, CommandModule } from "../define.ts";

const group = "Commands:";

const registryCommands: readonly CommandEntry[] = [
  {
    name: "ls",
    group,
    summary: "list registries whose credentials are kept",
    aliases: ["list"],
    load: async () => (await import("./registries/ls.ts")).registriesLs,
  },
  {
    name: "check",
    group,
    summary: "ask registries whether they take what is kept for them",
    aliases: ["test"],
    load: async () => (await import("./registries/check.ts")).registriesCheck,
  },
];

export const registries: CommandModule = {
  examples: ["uni registries ls", "uni registries check registry.example.com"],
  subcommands: registryCommands,
  define() {},
};
