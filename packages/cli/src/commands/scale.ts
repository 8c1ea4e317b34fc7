import type { CommandEntry, CommandModule } from "../define.ts";

const group = "Commands:";

const policyCommands: readonly CommandEntry[] = [
  {
    name: "add",
    group,
    summary: "add a policy",
    completes: "services",
    load: async () => (await import("./scale/policy-add.ts")).scalePolicyAdd,
  },
  {
    name: "rm",
    group,
    summary: "remove policies",
    completes: "services",
    load: async () => (await import("./scale/policy-rm.ts")).scalePolicyRm,
  },
];

const policy: CommandModule = {
  examples: [
    "uni scale policy add shop now --on-demand",
    "uni scale policy add shop busy --metric cpu --step ..200=-1 --step 800..=+2",
  ],
  subcommands: policyCommands,
  define() {},
};

const scaleCommands: readonly CommandEntry[] = [
  {
    name: "set",
    group,
    summary: "let the members of a service group follow its load",
    completes: "services",
    load: async () => (await import("./scale/set.ts")).scaleSet,
  },
  {
    name: "ls",
    group,
    summary: "list service groups whose members follow their load",
    aliases: ["list"],
    load: async () => (await import("./scale/ls.ts")).scaleLs,
  },
  {
    name: "get",
    group,
    summary: "show bounds, policies and what is wrong",
    completes: "services",
    aliases: ["inspect"],
    load: async () => (await import("./scale/get.ts")).scaleGet,
  },
  {
    name: "rm",
    group,
    summary: "let groups scale no more, and remove the members that were made",
    completes: "services",
    load: async () => (await import("./scale/rm.ts")).scaleRm,
  },
  { name: "policy", group, summary: "manage policies", load: async () => policy },
];

export const scale: CommandModule = {
  examples: ["uni scale set shop --template base --max 8", "uni scale ls"],
  subcommands: scaleCommands,
  define() {},
};
