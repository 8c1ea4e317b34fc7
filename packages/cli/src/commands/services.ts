import type { CommandEntry, CommandModule } from "../define.ts";

const group = "Commands:";

const serviceCommands: readonly CommandEntry[] = [
  {
    name: "ls",
    group,
    summary: "list service groups",
    aliases: ["list"],
    load: async () => (await import("./services/ls.ts")).servicesLs,
  },
  {
    name: "create",
    group,
    summary: "make a service group that stays when it is empty",
    load: async () => (await import("./services/create.ts")).servicesCreate,
  },
  {
    name: "get",
    group,
    summary: "show service groups",
    completes: "services",
    aliases: ["inspect"],
    load: async () => (await import("./services/get.ts")).servicesGet,
  },
  {
    name: "update",
    group,
    summary: "change ports, domains and limits",
    completes: "services",
    load: async () => (await import("./services/update.ts")).servicesUpdate,
  },
  {
    name: "rm",
    group,
    summary: "remove service groups without instances",
    completes: "services",
    load: async () => (await import("./services/rm.ts")).servicesRm,
  },
];

export const services: CommandModule = {
  examples: ["uni services ls", "uni services create shop -p 443:8080 --domain shop"],
  subcommands: serviceCommands,
  define() {},
};
