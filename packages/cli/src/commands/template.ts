import type { CommandEntry, CommandModule } from "../define.ts";

const group = "Commands:";
const shared = async () => {
  const { inspectOf, lsOf, rmOf, templateWords, updateOf } = await import("../saved-commands.ts");
  return {
    ls: lsOf(templateWords),
    inspect: inspectOf(templateWords),
    update: updateOf(templateWords),
    rm: rmOf(templateWords),
  };
};

const templateCommands: readonly CommandEntry[] = [
  {
    name: "create",
    group,
    summary: "make instances templates, with their memory if they run; they are instances no more",
    completes: "instances",
    load: async () => (await import("./template/create.ts")).templateCreate,
  },
  {
    name: "ls",
    group,
    summary: "list templates",
    aliases: ["list"],
    load: async () => (await shared()).ls,
  },
  {
    name: "inspect",
    group,
    summary: "show everything about templates, as JSON",
    completes: "templates",
    load: async () => (await shared()).inspect,
  },
  {
    name: "update",
    group,
    summary: "change tags, delete lock and autokill",
    completes: "templates",
    load: async () => (await shared()).update,
  },
  {
    name: "rm",
    group,
    summary: "remove templates; instances that were made of them stay",
    completes: "templates",
    load: async () => (await shared()).rm,
  },
];

export const template: CommandModule = {
  examples: ["uni template create base", "uni run --template base --name web"],
  subcommands: templateCommands,
  define() {},
};
