import type { CommandEntry, CommandModule } from "../define.ts";

const group = "Commands:";

const certificateCommands: readonly CommandEntry[] = [
  {
    name: "ls",
    group,
    summary: "list certificates and when they end",
    aliases: ["list"],
    load: async () => (await import("./certs/ls.ts")).certsLs,
  },
  {
    name: "get",
    group,
    summary: "show certificates, and why one was not issued",
    completes: "certificates",
    load: async () => (await import("./certs/get.ts")).certsGet,
  },
  {
    name: "add",
    group,
    summary: "upload a certificate with its key",
    aliases: ["create"],
    load: async () => (await import("./certs/add.ts")).certsAdd,
  },
  {
    name: "update",
    group,
    summary: "replace chain and key, for the same common name",
    completes: "certificates",
    load: async () => (await import("./certs/update.ts")).certsUpdate,
  },
  {
    name: "renew",
    group,
    summary: "have the authority issue a certificate now",
    completes: "certificates",
    load: async () => (await import("./certs/renew.ts")).certsRenew,
  },
  {
    name: "rm",
    group,
    summary: "remove certificates that no service group uses",
    completes: "certificates",
    load: async () => (await import("./certs/rm.ts")).certsRm,
  },
];

export const certs: CommandModule = {
  examples: ["uni certs ls", "uni certs add --cn www.example.com --chain fullchain.pem --key privkey.pem"],
  subcommands: certificateCommands,
  define() {},
};
